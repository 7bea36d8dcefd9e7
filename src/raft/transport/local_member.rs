//! This node's description of itself.

use super::PeerIdentity;
use super::identity::NodeIdentity;
use crate::storage::types::LogId;

/// The description of itself that this node sends on every connection.
pub(crate) struct LocalMember {
    pub(crate) name: NodeIdentity,
    pub(crate) environment: String,
    pub(crate) process: u64,
    /// The last log id on disk when the process started; the log only grows from there.
    pub(crate) last_log_id: Option<LogId>,
    /// The term of the vote on disk at that time.
    pub(crate) vote_term: u64,
}

impl LocalMember {
    pub(crate) fn identity(&self) -> PeerIdentity {
        PeerIdentity {
            name: self.name.clone(),
            environment: self.environment.clone(),
            process: self.process,
            last_log_id: self.last_log_id,
            vote_term: self.vote_term,
        }
    }
}
