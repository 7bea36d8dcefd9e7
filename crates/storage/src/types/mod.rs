//! The types that openraft is instantiated with.

#[cfg(feature = "sim")]
mod seeded_runtime;

use openraft::vote::RaftLeaderId;
use quorate_registry::{Batch, Leadership, Outcome};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

#[cfg(not(feature = "sim"))]
use openraft_rt_tokio::TokioRuntime as Runtime;
#[cfg(feature = "sim")]
use seeded_runtime::SeededRuntime as Runtime;

/// A member, as described by the membership in the log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Member {
    /// The `node.id` from the node's configuration.
    pub node_id: String,
    /// A random number that is drawn when the node's data directory is created.
    pub incarnation: u64,
    /// The address at which the node was reached when it joined, in the form `http://host:port`.
    pub address: String,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({:016x}) at {}",
            self.node_id, self.incarnation, self.address
        )
    }
}

/// The payload of a log entry: a batch of commands. It is shared (`Arc`), since openraft clones
/// entries for every follower.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal(pub Arc<Batch>);

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commands", self.0.commands.len())
    }
}

/// The result of an applied entry: an outcome for each of its commands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcomes(pub Vec<Outcome>);

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} outcomes", self.0.len())
    }
}

openraft::declare_raft_types!(
    /// openraft's type parameters.
    pub TypeConfig:
        D = Proposal,
        R = Outcomes,
        NodeId = u64,
        Node = Member,
        AsyncRuntime = Runtime,
);

/// A Raft node id: a digest of `node.id` and incarnation, so that an id is never reused.
pub type RaftId = u64;
/// openraft's log id with our types.
pub type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
/// Returns the term and the leader that proposed an entry, as the registry's [`Leadership`].
pub fn leadership(log_id: &LogId) -> Leadership {
    let leader = log_id.committed_leader_id();
    Leadership {
        term: leader.term(),
        node: *leader.node_id(),
    }
}

/// openraft's vote with our types.
pub type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
/// openraft's log entry with our types.
pub type Entry = openraft::type_config::alias::EntryOf<TypeConfig>;
/// openraft's snapshot metadata with our types.
pub type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;
/// openraft's membership with our types, including the id of the log entry that set it.
pub type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
