//! The targets of the store's log lines.
//!
//! A target is a name that operators write in `log.levels-file` and search for, so it stays when
//! the code behind it moves to another file.

pub(super) const LATCH: &str = "quorate::raft::disk::latch";
pub(super) const STORE: &str = "quorate::raft::disk::store";
