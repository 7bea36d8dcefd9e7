//! Counts of what a group does, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of events since the group was started.
#[derive(Debug, Default)]
pub(crate) struct GroupCounters {
    /// ReadIndex rounds that confirmed an index.
    pub(crate) read_rounds: EventCounter,
    /// ReadIndex rounds that failed.
    pub(crate) failed_read_rounds: EventCounter,
    /// Leaders that this node has learned of.
    pub(crate) leaders: EventCounter,
}

/// The number of events of one kind.
#[derive(Debug, Default)]
pub(crate) struct EventCounter(AtomicU64);

impl EventCounter {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
