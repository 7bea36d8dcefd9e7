//! The targets of the store's log lines.
//!
//! A target is a name that operators write in `log.levels-file` and search for, so it stays when
//! the code behind it moves to another file.

pub(crate) const LATCH: &str = "quorate::raft::disk::latch";
pub(crate) const STORE: &str = "quorate::raft::disk::store";
