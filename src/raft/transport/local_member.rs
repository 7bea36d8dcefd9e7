//! This node's description of itself.

use super::PeerIdentity;
use super::identity::NodeIdentity;
use crate::storage::types::LogId;

/// The description of itself that this node sends on every connection.
pub(crate) struct LocalMember {
    pub(crate) name: NodeIdentity,
    pub(crate) environment: String,
    /// A random number drawn when the process started.
    pub(crate) process: u64,
    /// The last log id on disk when the process started. Since then the log has only grown.
    pub(crate) last_log_id: Option<LogId>,
    /// The term of the vote on disk when the process started.
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
