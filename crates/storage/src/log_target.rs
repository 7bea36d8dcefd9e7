//! The targets of the store's log lines.
//!
//! A target is a name that operators use in `log.levels-file` and in searches. It therefore does
//! not change when the code behind it moves to another file.

pub(crate) const LATCH: &str = "quorate::raft::disk::latch";
pub(crate) const STORE: &str = "quorate::raft::disk::store";
