//! The tasks that monitor a running group.

pub(super) mod corruption_check;
pub(super) mod disk_space;
pub(super) mod inbound_check;
pub(super) mod log_retention;
pub(super) mod peer_status;
pub(super) mod raft_metrics;
pub(super) mod serving_watchdog;
pub(super) mod ticker;
