//! The tasks that monitor a running group.
//!
//! - `ticker` advances cluster time.
//! - `peer_status` exchanges status messages, and `corruption_check` compares the state digests in
//!   them.
//! - `member_facts` compares the facts that people see about members.
//! - `raft_metrics` follows openraft's metrics.
//! - `disk_space` and `log_retention` watch the free disk space and the size of the log.
//! - `serving_watchdog` detects that this node serves no reads, and `inbound_check` that the other
//!   members cannot reach this leader.

pub(super) mod corruption_check;
pub(super) mod disk_space;
pub(super) mod inbound_check;
pub(super) mod log_retention;
pub(super) mod member_facts;
pub(super) mod peer_status;
pub(super) mod raft_metrics;
pub(super) mod serving_watchdog;
pub(super) mod ticker;
