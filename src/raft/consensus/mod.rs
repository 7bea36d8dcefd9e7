//! Reads and writes that need a majority: proposals, ReadIndex rounds, commit notices.

pub(super) mod commit_notice;
pub(super) mod follower_vote;
pub(super) mod ordered_write;
pub(super) mod proposer;
pub(super) mod read_index;
