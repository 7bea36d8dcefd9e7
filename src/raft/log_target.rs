//! The targets of log lines.
//!
//! Operators write the name of a target in `log.levels-file` and search the log for it. A target
//! keeps its name when the code behind it moves to another file.

pub(crate) const FORMING: &str = "quorate::raft::forming";
pub(crate) const FOUNDING: &str = "quorate::raft::founding";
pub(crate) const GROUP: &str = "quorate::raft::group";
pub(crate) const HEARING: &str = "quorate::raft::hearing";
pub(crate) const LEVEL: &str = "quorate::raft::level";
pub(crate) const MEMBERSHIP: &str = "quorate::raft::membership";
pub(crate) const NODE: &str = "quorate::raft::node";
pub(crate) const PEERS: &str = "quorate::raft::peers";
pub(crate) const PEER_NAMES: &str = "quorate::raft::peer::names";
pub(crate) const READS: &str = "quorate::raft::reads";
pub(crate) const SERVICE: &str = "quorate::raft::service";
pub(crate) const SPACE: &str = "quorate::raft::space";
pub(crate) const TICKER: &str = "quorate::raft::ticker";
pub(crate) const WRITES: &str = "quorate::raft::writes";
