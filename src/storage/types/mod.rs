//! The types that openraft is instantiated with.

mod runtime;

use crate::registry::{Batch, Leadership, Outcome};
use openraft::vote::RaftLeaderId;
use runtime::Runtime;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A member as the membership in the log describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Member {
    /// The `node.id` of its configuration.
    pub node_id: String,
    /// Drawn at random with its data directory.
    pub incarnation: u64,
    /// Where it was reached when it joined: `http://host:port`.
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

/// The payload of a log entry. Shared, since openraft clones entries for every follower.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal(pub Arc<Batch>);

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commands", self.0.commands.len())
    }
}

/// What came of an entry: an outcome for each of its commands.
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

/// A raft id: a digest of `node.id` and incarnation, so that one never comes back.
pub type RaftId = u64;
/// openraft's log id with our types.
pub type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
/// The leader that proposed an entry, as the registry knows it.
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
/// openraft's membership, with the log id that set it.
pub type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
