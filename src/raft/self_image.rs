//! What this node says of itself.

use super::identity::NodeName;
use super::peer::Introduction;
use crate::storage::types::LogId;

/// What this node says of itself on every connection.
pub(super) struct SelfImage {
    pub(super) name: NodeName,
    pub(super) environment: String,
    pub(super) process: u64,
    /// The last log id on disk when the process started; it only grows from there.
    pub(super) last_log_id: Option<LogId>,
    /// The term of the vote on disk then.
    pub(super) vote_term: u64,
}

impl SelfImage {
    pub(super) fn introduction(&self) -> Introduction {
        Introduction {
            name: self.name.clone(),
            environment: self.environment.clone(),
            process: self.process,
            last_log_id: self.last_log_id,
            vote_term: self.vote_term,
        }
    }
}
