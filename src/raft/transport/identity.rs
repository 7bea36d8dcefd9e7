//! Incarnations, Raft ids and the cluster id.
//!
//! An emptied node is a different member and never votes as its old incarnation
//! (docs/decisions/0002).

use crate::planted::{Bug, is_planted};
use crate::storage::types::RaftId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

/// A `node.id` with the incarnation of its data directory. A node whose directory was emptied has a
/// new incarnation, and counts as a different node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct NodeIdentity {
    pub(crate) node_id: String,
    pub(crate) incarnation: u64,
}

impl NodeIdentity {
    /// Returns the raft id. The raft id is a digest that includes the incarnation, so an emptied
    /// node never has its old raft id again.
    pub(crate) fn raft_id(&self) -> RaftId {
        let mut hash = Sha256::new();
        hash.update(b"quorate raft id\0");
        hash.update((self.node_id.len() as u64).to_be_bytes());
        hash.update(self.node_id.as_bytes());
        if !is_planted(Bug::EmptyNodeVotes) {
            hash.update(self.incarnation.to_be_bytes());
        }
        first_u64(hash)
    }
}

impl fmt::Display for NodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (incarnation {:016x})",
            self.node_id, self.incarnation
        )
    }
}

/// The reason why a peer is not the member that it claims to be.
#[derive(Debug, Error)]
pub(crate) enum IdentityMismatch {
    /// The node acknowledged more of the log than its data directory holds.
    #[error(
        "{0} acknowledged more of the log than its data directory holds: it was restored from a \
         copy. Empty its data directory and start it again; it rejoins by itself"
    )]
    RestoredFromCopy(NodeIdentity),
    /// The node that answered is not the member that was dialed.
    #[error("the node that answers at its address calls itself {0}")]
    OtherNode(NodeIdentity),
    /// The connection is plain, although the member has just proved that it has the shared secret.
    #[error("{0} has just proved the shared secret, so a plain connection in its name is refused")]
    PlainAfterProof(String),
}

/// Returns the cluster id, a digest of the environment and the sorted identities of the founders.
/// Every founder computes the cluster id independently. Two groups that were formed from one
/// inventory have different cluster ids.
pub(crate) fn cluster_id(environment: &str, founders: &[NodeIdentity]) -> u64 {
    let mut sorted: Vec<&NodeIdentity> = founders.iter().collect();
    sorted.sort();
    let mut hash = Sha256::new();
    hash.update(b"quorate cluster id\0");
    hash.update((environment.len() as u64).to_be_bytes());
    hash.update(environment.as_bytes());
    for founder in sorted {
        hash.update(founder.raft_id().to_be_bytes());
    }
    first_u64(hash)
}

fn first_u64(hash: Sha256) -> u64 {
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(node_id: &str, incarnation: u64) -> NodeIdentity {
        NodeIdentity {
            node_id: node_id.to_owned(),
            incarnation,
        }
    }

    /// A node has a different raft id after it was emptied, and two nodes have different raft ids.
    #[test]
    fn raft_ids_tell_incarnations_apart() {
        assert_ne!(name("a", 1).raft_id(), name("a", 2).raft_id());
        assert_ne!(name("a", 1).raft_id(), name("b", 1).raft_id());
        assert_eq!(name("a", 1).raft_id(), name("a", 1).raft_id());
    }

    /// The cluster id does not depend on the order of the founders, but on their identities and the
    /// environment.
    #[test]
    fn cluster_ids_tell_formations_apart() {
        let ab = cluster_id("test", &[name("a", 1), name("b", 2)]);
        assert_eq!(ab, cluster_id("test", &[name("b", 2), name("a", 1)]));
        assert_ne!(ab, cluster_id("prod", &[name("a", 1), name("b", 2)]));
        assert_ne!(ab, cluster_id("test", &[name("a", 1), name("b", 3)]));
    }
}
