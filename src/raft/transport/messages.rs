//! What nodes say to each other.

use crate::raft::transport::identity::NodeName;
use crate::registry::{Command, Outcome};
use crate::storage::types::{LogId, RaftId, SnapshotMeta, TypeConfig, Vote};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

/// The version of these messages. A node of another version is refused by name.
pub(crate) const MESSAGES_VERSION: u32 = 1;

/// The first message of a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) version: u32,
    pub(crate) from: Introduction,
    /// The group's id and the raft id that the sender means; absent from a node that looks for a group.
    pub(crate) to: Option<(u64, RaftId)>,
}

impl Hello {
    /// From a node that looks for a group, or asks who answers at an address.
    pub(crate) fn stranger(from: Introduction) -> Hello {
        Hello {
            version: MESSAGES_VERSION,
            from,
            to: None,
        }
    }

    /// From a member of a cluster to one of its members.
    pub(crate) fn member(from: Introduction, cluster_id: u64, target: RaftId) -> Hello {
        Hello {
            to: Some((cluster_id, target)),
            ..Hello::stranger(from)
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Introduction {
    pub(crate) name: NodeName,
    pub(crate) environment: String,
    /// Drawn at each start, so that two processes on copies of one directory are told apart.
    pub(crate) process: u64,
    /// The last log id on its disk: a directory put back from a copy has lost what it acknowledged.
    pub(crate) last_log_id: Option<LogId>,
    /// The term of the vote on its disk.
    pub(crate) vote_term: u64,
}

/// The answer to [`Hello`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Welcome {
    /// Speak.
    Accepted(Introduction),
    /// Try again soon: this node is starting, or looks for its group.
    NotYet { reason: String },
    /// Not with you. `fatal`: the sender must stop, a person has to look.
    Refused { reason: String, fatal: bool },
}

/// What one node asks of another. Only `Look` and `Join` are open to a node of no group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Request {
    Look,
    Join(JoinWish),
    Vote(VoteRequest<TypeConfig>),
    PreVote(VoteRequest<TypeConfig>),
    Append(AppendEntriesRequest<TypeConfig>),
    Snapshot(Box<SnapshotChunk>),
    Transfer(TransferLeaderRequest<TypeConfig>),
    /// With the vote on the asker's disk, read after the reads came that the index is for. The first release tells none, and reads
    /// none.
    ReadIndex(#[serde(deserialize_with = "vote_or_none")] Option<Vote>),
    Forward(Forwarded),
    Pulse(Pulse),
}

/// What it is answered; each variant answers the request of the same name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Answer {
    Look(GroupView),
    Join(JoinAnswer),
    Vote(VoteResponse<TypeConfig>),
    Append(AppendEntriesResponse<TypeConfig>),
    /// The receiver's vote, once the last chunk is installed; `None` for the others.
    Snapshot(Option<Vote>),
    Transfer(TransferLeaderResponse<TypeConfig>),
    /// The index to wait for, or why this node cannot confirm one.
    ReadIndex(Result<u64, String>),
    Forward(Vec<WriteResult>),
    Pulse(PulseAnswer),
    /// The request could not be served at all.
    Failed(String),
}

/// What a node knows of a group, told to one that looks for its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GroupView {
    pub(crate) name: NodeName,
    pub(crate) environment: String,
    /// The digest of its inventory: only nodes of one inventory form a group.
    pub(crate) inventory_digest: Option<u64>,
    /// Its group's founding pairs with their addresses, sorted; absent when it has none.
    pub(crate) founders: Option<Vec<(NodeName, String)>>,
}

/// An emptied node asks to take the place of its old self.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JoinWish {
    pub(crate) name: NodeName,
    pub(crate) address: String,
    pub(crate) environment: String,
}

/// What comes of a wish; it is repeated until the answer is `Voter`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum JoinAnswer {
    /// The group takes it: this is its id, and its founders.
    Pending {
        cluster_id: u64,
        founders: Vec<(NodeName, String)>,
    },
    /// It is a voter.
    Voter {
        cluster_id: u64,
        founders: Vec<(NodeName, String)>,
    },
    /// Not now, or not at all; why.
    Refused(String),
}

/// A piece of a snapshot. Pieces of one transfer come in order on one connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SnapshotChunk {
    pub(crate) vote: Vote,
    pub(crate) meta: SnapshotMeta,
    pub(crate) offset: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) last: bool,
}

/// Writes on their way to the leader.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Forwarded {
    /// Each with the time in ms that its client still waits.
    pub(crate) writes: Vec<(u32, Command)>,
}

/// What came of one forwarded write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum WriteResult {
    /// Committed and applied.
    Done { index: u64, outcome: Outcome },
    /// Surely not applied.
    NotApplied(String),
    /// Nobody knows.
    Unknown(String),
}

/// Members tell each other twice a second how far they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pulse {
    pub(crate) applied: u64,
    /// Its disk is below the floor: it takes no entries.
    pub(crate) disk_low: bool,
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// The highest level of commands that it knows. Last in its message, where the first release ends.
    #[serde(deserialize_with = "level_or_first")]
    pub(crate) level: u32,
}

/// The level, or 1 from a node of the first release, whose message ends before it.
fn level_or_first<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(u32::deserialize(deserializer).unwrap_or(1))
}

/// The vote, or none from a node of the first release, whose message ends before it.
fn vote_or_none<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vote>, D::Error> {
    Ok(Option::deserialize(deserializer).unwrap_or(None))
}

/// The answer is the same of the other side.
pub(crate) type PulseAnswer = Pulse;

/// The digest of the registry at an applied index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    pub(crate) index: u64,
    pub(crate) digest: u128,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question for an index is understood both ways between this release and the first, which tells no vote.
    #[test]
    fn a_read_index_of_the_first_release_is_understood() {
        #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
        enum First {
            Look,
            Join,
            Vote,
            PreVote,
            Append,
            Snapshot,
            Transfer,
            ReadIndex,
        }
        let bytes = postcard::to_allocvec(&(7u64, First::ReadIndex)).expect("to memory");
        let read: (u64, Request) = postcard::from_bytes(&bytes).expect("a request");
        assert!(matches!(read, (7, Request::ReadIndex(None))));
        let vote = Some(Vote::new_committed(3, 1));
        let bytes = postcard::to_allocvec(&(7u64, Request::ReadIndex(vote))).expect("to memory");
        assert_eq!(
            postcard::from_bytes::<(u64, First)>(&bytes),
            Ok((7, First::ReadIndex))
        );
        let read: (u64, Request) = postcard::from_bytes(&bytes).expect("a request");
        assert!(matches!(read, (7, Request::ReadIndex(told)) if told == vote));
    }

    /// A pulse is understood both ways between this release and the first, which tells no level.
    #[test]
    fn a_pulse_of_the_first_release_is_understood() {
        #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
        struct First {
            applied: u64,
            disk_low: bool,
            checkpoints: Vec<Checkpoint>,
        }
        let checkpoint = Checkpoint {
            index: 16,
            digest: 7,
        };
        let first = First {
            applied: 300,
            disk_low: true,
            checkpoints: vec![checkpoint],
        };
        let bytes = postcard::to_allocvec(&first).expect("to memory");
        let read: Pulse = postcard::from_bytes(&bytes).expect("a pulse");
        assert_eq!((read.applied, read.disk_low, read.level), (300, true, 1));
        let pulse = Pulse { level: 2, ..read };
        let bytes = postcard::to_allocvec(&pulse).expect("to memory");
        assert_eq!(postcard::from_bytes::<First>(&bytes), Ok(first));
        assert_eq!(
            postcard::from_bytes::<Pulse>(&bytes).map(|pulse| pulse.level),
            Ok(2)
        );
    }
}
