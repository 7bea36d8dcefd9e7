//! What a node knows of its group, for people and monitors.

use serde::{Deserialize, Serialize};

/// What part a node plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Takes every write of the group.
    Leader,
    /// A voter that follows the leader.
    Follower,
    /// Receives the log and has no vote.
    Learner,
    /// Asks for votes, or is in no group yet.
    Candidate,
}

/// The answer of `GET /v1/cluster/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// This node's `node.id`.
    pub node: String,
    /// Its part.
    pub role: Role,
    /// The leader's `node.id`, if one is known.
    pub leader: Option<String>,
    /// Its raft term.
    pub term: u64,
    /// The last log index that it applied.
    pub applied: u64,
    /// How many services it holds.
    pub services: u64,
    /// The members, by `node.id`.
    pub members: Vec<MemberStatus>,
    /// Whether a group is formed, and what it waits for if not (design 6, amendment A10).
    #[serde(flatten)]
    pub group: GroupState,
}

/// What stands in the way of serving, for people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupState {
    /// The cluster id in hex, once a group is formed.
    pub cluster: Option<String>,
    /// What this node waits for, and the way out; absent when it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// One member as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its `node.id`.
    pub node: String,
    /// `voter` or `learner`.
    pub role: String,
    /// Where it is reached.
    pub address: String,
    /// Whether it answered this node within the last second.
    pub reachable: bool,
    /// How many log entries it has yet to apply, compared with the most advanced member known.
    pub lag: u64,
}
