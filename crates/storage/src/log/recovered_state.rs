//! The state that is recovered when a directory is opened.

use crate::identity::Identity;
use crate::types::{LogId, Vote};

/// The state of the database when it was opened. During recovery, the frames of the WAL are added
/// to this state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RecoveredState {
    pub(crate) identity: Option<Identity>,
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
    pub(crate) purged: Option<LogId>,
    pub(crate) last: Option<LogId>,
}
