//! The durations of the disk's syncs.

use super::durations::durations;
use super::exposition::Exposition;
use prometheus_client::metrics::histogram::Histogram;

/// The durations of the syncs of a data directory.
#[derive(Debug, Clone)]
pub struct DiskMetrics {
    /// The syncs of the write-ahead log (`raft.journal`).
    pub log_sync: Histogram,
    /// The syncs of the database (`raft.redb`). A commit has one or two.
    pub database_sync: Histogram,
}

impl Default for DiskMetrics {
    fn default() -> DiskMetrics {
        DiskMetrics {
            log_sync: durations(),
            database_sync: durations(),
        }
    }
}

impl DiskMetrics {
    /// Adds the series to a scrape.
    pub fn collect(&self, exposition: &mut Exposition) {
        exposition.metric(
            "quorate_log_sync_duration_seconds",
            "Duration of a sync of the write-ahead log",
            self.log_sync.clone(),
        );
        exposition.metric(
            "quorate_database_sync_duration_seconds",
            "Duration of a sync of the database",
            self.database_sync.clone(),
        );
    }
}
