//! The settings of a run.

use quorate::raft::LogLimits;
use std::time::Duration;

/// A step of the simulation; no message takes less.
pub const STEP: Duration = Duration::from_millis(2);

/// The settings of a run, decided by its seed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What decides everything.
    pub seed: u64,
    /// How many nodes.
    pub hosts: usize,
    /// `discovery.max-age`.
    pub max_age: Duration,
    /// The slowest operation of a device.
    pub slowest_disk_ms: u64,
    /// The worst delay of a message.
    pub slowest_message_ms: u64,
    /// Whether messages get lost by themselves.
    pub loss: f64,
    /// How much log the nodes keep.
    pub log_limits: LogLimits,
    /// An error to be found.
    pub planted: Planted,
}

/// An error planted to show that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Planted {
    /// None.
    #[default]
    Nothing,
    /// Devices say that they synced, and did not.
    LyingDisks,
    /// Lookups are served without asking the leader.
    StaleReads,
    /// One node ages announcements three times as fast.
    ShortAge,
}

impl Planted {
    /// The error of this name.
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
