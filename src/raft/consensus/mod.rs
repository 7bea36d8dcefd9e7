//! Reads and writes that need a majority.
//!
//! - `ordered_write` runs one announcement or withdrawal from its arrival to its outcome.
//!   `static_write` runs one write about a static service. `proposer` proposes batches of writes on
//!   the leader or forwards them to the leader.
//! - `read_index` runs the ReadIndex rounds of reads. `follower_vote` confirms a round by a vote
//!   instead of heartbeats.
//! - `commit_notice` notifies lagging followers of a commit.

pub(super) mod commit_notice;
pub(super) mod follower_vote;
pub(super) mod ordered_write;
pub(super) mod proposer;
pub(super) mod read_index;
pub(super) mod static_write;
