//! The settings of a run.

use quorate::raft::LogRetention;
use std::time::Duration;

/// The time step of the simulation, which is also the minimum latency of a message.
pub const STEP: Duration = Duration::from_millis(2);

/// The settings of a run, determined by its seed.
#[derive(Debug, Clone)]
pub struct SimSettings {
    /// The seed, which determines everything.
    pub seed: u64,
    /// The number of nodes.
    pub hosts: usize,
    /// `discovery.max-age`.
    pub max_age: Duration,
    /// Maximum duration of a device's operation.
    pub slowest_disk_ms: u64,
    /// Maximum latency of a message.
    pub slowest_message_ms: u64,
    /// Probability with which a link begins to lose messages at random.
    pub loss: f64,
    /// Limits on the log of each node.
    pub log_limits: LogRetention,
    /// The planted bug, which the checks must find.
    pub planted: Planted,
}

/// A bug that is planted to show that the checks find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Planted {
    /// No bug.
    #[default]
    Nothing,
    /// Devices report a successful sync without syncing.
    LyingDisks,
    /// Lookups are served without asking the leader.
    StaleReads,
    /// One node has a third of the max-age of the other nodes.
    ShortAge,
}

impl Planted {
    /// Returns the bug with this name.
    pub fn named(name: &str) -> Option<Planted> {
        [
            Planted::Nothing,
            Planted::LyingDisks,
            Planted::StaleReads,
            Planted::ShortAge,
        ]
        .into_iter()
        .find(|planted| format!("{planted:?}") == name)
    }
}
