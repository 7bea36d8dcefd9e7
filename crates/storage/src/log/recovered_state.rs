//! The state that is recovered when a directory is opened.

use crate::identity::Identity;
use crate::types::{LogId, Vote};

/// The state that the database contained when it was opened, and to which the frames of the WAL are
/// then added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RecoveredState {
    pub(crate) identity: Option<Identity>,
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
    pub(crate) purged: Option<LogId>,
    pub(crate) last: Option<LogId>,
}
