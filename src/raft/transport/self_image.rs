//! What this node says of itself.

use super::Introduction;
use super::identity::NodeName;
use crate::storage::types::LogId;

/// What this node says of itself on every connection.
pub(crate) struct SelfImage {
    pub(crate) name: NodeName,
    pub(crate) environment: String,
    pub(crate) process: u64,
    /// The last log id on disk when the process started; it only grows from there.
    pub(crate) last_log_id: Option<LogId>,
    /// The term of the vote on disk then.
    pub(crate) vote_term: u64,
}

impl SelfImage {
    pub(crate) fn introduction(&self) -> Introduction {
        Introduction {
            name: self.name.clone(),
            environment: self.environment.clone(),
            process: self.process,
            last_log_id: self.last_log_id,
            vote_term: self.vote_term,
        }
    }
}
