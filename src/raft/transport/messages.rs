//! The messages that nodes exchange.

use crate::raft::transport::identity::NodeIdentity;
use crate::registry::{Command, Outcome};
use crate::storage::types::{LogId, RaftId, SnapshotMeta, TypeConfig, Vote};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

/// The version of the peer protocol. A node of another version is refused with an explicit reason.
pub(crate) const MESSAGES_VERSION: u32 = 1;

/// The first message of a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) version: u32,
    pub(crate) from: PeerIdentity,
    /// The id of the group and the raft id of the intended receiver. Absent in a hello of
    /// [`Hello::non_member`].
    pub(crate) to: Option<(u64, RaftId)>,
}

impl Hello {
    /// Creates the hello of a node that looks for a group, or asks which node answers at an
    /// address.
    pub(crate) fn non_member(from: PeerIdentity) -> Hello {
        Hello {
            version: MESSAGES_VERSION,
            from,
            to: None,
        }
    }

    /// Creates the hello from a member of a cluster to another member.
    pub(crate) fn member(from: PeerIdentity, cluster_id: u64, target: RaftId) -> Hello {
        Hello {
            to: Some((cluster_id, target)),
            ..Hello::non_member(from)
        }
    }
}

/// A node's description of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PeerIdentity {
    pub(crate) name: NodeIdentity,
    pub(crate) environment: String,
    /// A random number drawn at each start. It distinguishes two processes that run on copies of
    /// one directory.
    pub(crate) process: u64,
    /// The last log id on the node's disk when its process started. It reveals a directory restored
    /// from a copy, which has lost entries that the node acknowledged.
    pub(crate) last_log_id: Option<LogId>,
    /// The term of the vote on the node's disk when its process started.
    pub(crate) vote_term: u64,
}

/// The answer to [`Hello`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum HelloReply {
    /// The connection is accepted.
    Accepted(PeerIdentity),
    /// The sender may try again soon, because the receiver is starting, or looks for its group.
    NotYet { reason: String },
    /// The connection is refused. If `fatal` is set, the sender must stop and an operator has to
    /// investigate.
    Refused { reason: String, fatal: bool },
}

/// A request from one node to another. Only `Probe` and `Join` are open to a node without a group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Request {
    Probe,
    Join(JoinRequest),
    Vote(VoteRequest<TypeConfig>),
    PreVote(VoteRequest<TypeConfig>),
    Append(AppendEntriesRequest<TypeConfig>),
    Snapshot(Box<SnapshotChunk>),
    Transfer(TransferLeaderRequest<TypeConfig>),
    /// A request for a read index, with the vote on the sender's disk. The vote is read after the
    /// arrival of the reads that need the index. Nodes of the first release neither send nor read a
    /// vote.
    ReadIndex(#[serde(deserialize_with = "vote_or_none")] Option<Vote>),
    Forward(Forwarded),
    Status(PeerStatus),
}

/// The answer to a [`Request`]. Each variant answers the request of the same name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Response {
    Probe(GroupInfo),
    Join(JoinResponse),
    Vote(VoteResponse<TypeConfig>),
    Append(AppendEntriesResponse<TypeConfig>),
    /// The receiver's vote once the last chunk is installed; `None` for earlier chunks.
    Snapshot(Option<Vote>),
    Transfer(TransferLeaderResponse<TypeConfig>),
    /// The index to wait for, or the reason why the leader cannot confirm an index.
    ReadIndex(Result<u64, String>),
    Forward(Vec<WriteResult>),
    Status(PeerStatusReply),
    /// The request could not be served at all.
    Failed(String),
}

/// A node's knowledge of its group, reported to a node that looks for its own group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GroupInfo {
    pub(crate) name: NodeIdentity,
    pub(crate) environment: String,
    /// The digest of the node's inventory. Nodes form a group only if their inventories are the
    /// same.
    pub(crate) inventory_digest: Option<u64>,
    /// The founders of the group with their addresses, sorted. Absent if the node has no group.
    pub(crate) founders: Option<Vec<(NodeIdentity, String)>>,
}

/// An emptied node's request to replace its old incarnation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JoinRequest {
    pub(crate) name: NodeIdentity,
    pub(crate) address: String,
    pub(crate) environment: String,
}

/// The answer to a join request. The joining node repeats the request until the answer is `Voter`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum JoinResponse {
    /// The group accepts the node, which is not a voter yet.
    Pending {
        cluster_id: u64,
        founders: Vec<(NodeIdentity, String)>,
    },
    /// The node is a voter.
    Voter {
        cluster_id: u64,
        founders: Vec<(NodeIdentity, String)>,
    },
    /// The group does not accept the node now, or not at all, for this reason.
    Refused(String),
}

/// A piece of a snapshot. The pieces of one transfer arrive in order on one connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SnapshotChunk {
    pub(crate) vote: Vote,
    pub(crate) meta: SnapshotMeta,
    pub(crate) offset: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) last: bool,
}

/// Writes that are forwarded to the leader.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Forwarded {
    /// The writes, each with the remaining time in ms that its client waits.
    pub(crate) writes: Vec<(u32, Command)>,
}

/// The result of one proposed or forwarded write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum WriteResult {
    /// The write was committed and applied.
    Done { index: u64, outcome: Outcome },
    /// The write was certainly not applied.
    NotApplied(String),
    /// The write may have been applied, or may still be applied later.
    Unknown(String),
}

/// The status report that members exchange twice a second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PeerStatus {
    pub(crate) applied: u64,
    /// Whether the free space of the sender's disk is below the floor, so that the sender takes no
    /// entries.
    pub(crate) disk_low: bool,
    pub(crate) digests: Vec<StateDigest>,
    /// The highest feature level of commands that the sender knows. The message of the first
    /// release ends before this field.
    #[serde(deserialize_with = "level_or_first")]
    pub(crate) level: u32,
    /// Facts about the sender that only people read. Absent in a message that was sent only to
    /// report the applied index. An answer has them if and only if the request has, and only those
    /// of an answer are recorded. This field is the last one, because the message of earlier
    /// releases ends before it. A later release must not append fields both here and to
    /// [`MemberFacts`].
    #[serde(deserialize_with = "facts_or_none")]
    pub(crate) facts: Option<MemberFacts>,
}

/// Facts about a member that only people read. No decision of the group depends on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberFacts {
    /// The release that the member runs.
    pub(crate) release: String,
    /// Time since the member's process joined its group, in seconds.
    pub(crate) uptime_s: u64,
    /// The member's wall clock, in milliseconds since the Unix epoch.
    pub(crate) wall_ms: u64,
    /// The free space of the member's data directory, and the space below which it takes no writes,
    /// in bytes. Absent if the member could not read them.
    pub(crate) disk: Option<(u64, u64)>,
}

/// Decodes the level. Returns 1 for a node of the first release, whose message ends before the
/// level.
fn level_or_first<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(u32::deserialize(deserializer).unwrap_or(1))
}

/// Decodes the facts. Returns `None` for a node of an earlier release, whose message ends before
/// them.
fn facts_or_none<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<MemberFacts>, D::Error> {
    Ok(Option::deserialize(deserializer).unwrap_or(None))
}

/// Decodes the vote. Returns `None` for a node of the first release, whose message ends before the
/// vote.
fn vote_or_none<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vote>, D::Error> {
    Ok(Option::deserialize(deserializer).unwrap_or(None))
}

/// The answer to a status message: the status of the other node.
pub(crate) type PeerStatusReply = PeerStatus;

/// The digest of the registry at an applied index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateDigest {
    pub(crate) index: u64,
    pub(crate) digest: u128,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A read-index request is understood in both directions between this release and the first
    /// release, which sends no vote.
    #[test]
    fn a_read_index_of_the_first_release_is_understood() {
        #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
        enum FirstReadIndex {
            Look,
            Join,
            Vote,
            PreVote,
            Append,
            Snapshot,
            Transfer,
            ReadIndex,
        }
        let bytes = postcard::to_allocvec(&(7u64, FirstReadIndex::ReadIndex)).expect("to memory");
        let read: (u64, Request) = postcard::from_bytes(&bytes).expect("a request");
        assert!(matches!(read, (7, Request::ReadIndex(None))));
        let vote = Some(Vote::new_committed(3, 1));
        let bytes = postcard::to_allocvec(&(7u64, Request::ReadIndex(vote))).expect("to memory");
        assert_eq!(
            postcard::from_bytes::<(u64, FirstReadIndex)>(&bytes),
            Ok((7, FirstReadIndex::ReadIndex))
        );
        let read: (u64, Request) = postcard::from_bytes(&bytes).expect("a request");
        assert!(matches!(read, (7, Request::ReadIndex(sent)) if sent == vote));
    }

    /// A status message is understood in both directions between this release and the first
    /// release, which sends no level.
    #[test]
    fn a_pulse_of_the_first_release_is_understood() {
        #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
        struct FirstStatus {
            applied: u64,
            disk_low: bool,
            checkpoints: Vec<StateDigest>,
        }
        let checkpoint = StateDigest {
            index: 16,
            digest: 7,
        };
        let first = FirstStatus {
            applied: 300,
            disk_low: true,
            checkpoints: vec![checkpoint],
        };
        let bytes = postcard::to_allocvec(&first).expect("to memory");
        let read: PeerStatus = postcard::from_bytes(&bytes).expect("a status");
        assert_eq!((read.applied, read.disk_low, read.level), (300, true, 1));
        assert_eq!(read.facts, None);
        let facts = MemberFacts {
            release: "0.1.0".to_owned(),
            uptime_s: 7,
            wall_ms: 8,
            disk: Some((9, 10)),
        };
        let status = PeerStatus {
            level: 2,
            facts: Some(facts.clone()),
            ..read
        };
        let bytes = postcard::to_allocvec(&status).expect("to memory");
        assert_eq!(postcard::from_bytes::<FirstStatus>(&bytes), Ok(first));
        let read: PeerStatus = postcard::from_bytes(&bytes).expect("a status");
        assert_eq!((read.level, read.facts), (2, Some(facts)));

        // The release 787d4a2 sends the level, but no facts.
        #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
        struct StatusWithLevel {
            first: FirstStatus,
            level: u32,
        }
        let with_level: StatusWithLevel = postcard::from_bytes(&bytes).expect("a status");
        assert_eq!(with_level.level, 2);
        let bytes = postcard::to_allocvec(&with_level).expect("to memory");
        let read: PeerStatus = postcard::from_bytes(&bytes).expect("a status");
        assert_eq!((read.level, read.facts), (2, None));
    }
}
