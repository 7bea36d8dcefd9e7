//! The state that a directory is found in.

use super::identity::Identity;
use crate::raft::types::{LogId, Vote};

/// What a database held when it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) identity: Option<Identity>,
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
}
