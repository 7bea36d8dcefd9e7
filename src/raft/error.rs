//! Errors of reads and writes, and the reasons for which a node does not start or stops.

use super::transport::CallError;
use crate::model::BadAnnouncement;
use crate::storage::types::TypeConfig;
use openraft::ConfigError;
use openraft::errors::Fatal;
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// The reason why a request was not served, in one line for the client. A retry, later or on
/// another node, may succeed.
#[derive(Debug, Clone, Error)]
pub enum Unavailable {
    /// This node is stopping.
    #[error("this node is stopping")]
    Stopping,
    /// This node is in no group yet. The text says what it waits for.
    #[error("{0}")]
    NoGroup(String),
    /// This node is not a voter yet.
    #[error("this node is not a voter yet")]
    NotVoter,
    /// This node has served no read for too long.
    #[error("this node has served no read in the last 2 s: {0}")]
    NotServing(Outage),
    /// The group does not serve.
    #[error(transparent)]
    Outage(#[from] Outage),
    /// The request failed. The outage may be the cause.
    #[error("{source}; {outage}")]
    Explained {
        /// The failure of the request.
        source: Box<Unavailable>,
        /// The reason why the group does not serve.
        outage: Outage,
    },
    /// A reason that another node sent, or that this node gave to its watchers.
    #[error("{0}")]
    Reported(String),
    /// Too many lookups are waiting.
    #[error("too many lookups are waiting on this node")]
    TooManyReads,
    /// No read index was confirmed in time.
    #[error("no majority of the group confirmed the lookup in time")]
    Unconfirmed,
    /// This node did not apply the read index in time.
    #[error("this node is behind the group and did not catch up in time")]
    Behind,
    /// The leader that was asked for a read index no longer leads.
    #[error("the leader changed")]
    LeaderChanged,
    /// The leader did not answer the request for a read index.
    #[error("the read request to the leader {leader} failed: {source}")]
    NoReadIndex {
        /// The `node.id` of the leader.
        leader: String,
        /// The failure of the call.
        source: Arc<CallError>,
    },
    /// The leader sent an answer of another kind to the request for a read index.
    #[error("the leader {leader} sent an unexpected answer")]
    UnexpectedAnswer {
        /// The `node.id` of the leader.
        leader: String,
    },
    /// openraft has ended.
    #[error(transparent)]
    Ended(Arc<Fatal<TypeConfig>>),
    /// The announcement cannot be read.
    #[error(transparent)]
    BadAnnouncement(#[from] BadAnnouncement),
    /// An earlier write of the same node id was not decided in time.
    #[error("an earlier write of {node_id} is still under way")]
    EarlierWrite {
        /// The node id.
        node_id: String,
    },
    /// Another write of the same node id may be newer.
    #[error("overtaken by another write of node {node_id}; send it again")]
    Overtaken {
        /// The node id.
        node_id: String,
    },
    /// The write would exceed the registry's size limit.
    #[error("the registry is full: the limit is 256 MB")]
    RegistryFull,
}

/// The reason why a group does not serve, in one line. The line is in every 503, in the server log
/// and in the status. It includes the remedy, because some groups need the help of an operator: for
/// example a group of two that lost a node, or a group that lost the disks of a majority.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Outage {
    /// This node's disk is full.
    #[error("{0}: it accepts no log entries until there is space")]
    DiskFull(#[from] DiskFull),
    /// This node does not know the members of its group yet.
    #[error("this node has not received the log of its group yet")]
    NoLog,
    /// Every voter is reachable, but no leader has the support of a majority.
    #[error("a majority of the {voters} voters must elect a leader and respond")]
    NoLeader {
        /// The number of voters.
        voters: usize,
    },
    /// Some voters are not reachable.
    #[error(
        "a majority of the {voters} voters is needed; unreachable: {}. If the disks of a majority \
         are lost for good, see \"A majority is lost\" in docs/OPERATIONS.md",
        unreachable.join(", ")
    )]
    Unreachable {
        /// The number of voters.
        voters: usize,
        /// The voters that are not reachable, each with the reason if one is known.
        unreachable: Vec<String>,
    },
}

/// The error of a node whose disk has no space for a log entry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the disk of {node_id} is full")]
pub struct DiskFull {
    /// The `node.id` of the node.
    pub node_id: String,
}

/// Error of a write that was not acknowledged.
#[derive(Debug, Clone, Error)]
pub enum WriteError {
    /// The write was certainly not applied. The same request would be refused again. HTTP status
    /// 400.
    #[error("{0}")]
    Refused(String),
    /// The write was certainly not applied, because the client may not write the node. HTTP status
    /// 403.
    #[error("{0}")]
    NotPermitted(String),
    /// The write was certainly not applied. HTTP status 503 with `Quorate-Applied: no`.
    #[error(transparent)]
    NotApplied(Unavailable),
    /// The write may have been applied, or may still be applied later. HTTP status 503 with
    /// `Quorate-Applied: unknown`.
    #[error(transparent)]
    Unknown(Unavailable),
}

impl WriteError {
    /// Returns the error for an announcement that this node accepted, but that exceeded a size
    /// limit when its entry was applied. One cause is that this node's registry was behind when the
    /// announcement arrived.
    pub(super) fn over_limit() -> WriteError {
        let reason = "services or location exceeds the limit for an announcement";
        WriteError::Refused(reason.to_owned())
    }
}

/// The reason why a node cannot continue. The process ends; its exit code says whether a restart
/// may help.
#[derive(Debug, Clone, Error)]
pub enum RaftError {
    /// The data directory belongs to another node or another group. An operator must intervene.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The data on disk cannot be read, written or trusted.
    #[error(transparent)]
    Storage(#[from] StorageFailure),
    /// This node's state differs from the state of the other members. An operator must intervene.
    #[error(transparent)]
    Diverged(#[from] Divergence),
    /// The settings contradict each other.
    #[error(transparent)]
    Settings(Arc<ConfigError>),
}

impl From<io::Error> for RaftError {
    fn from(error: io::Error) -> RaftError {
        RaftError::Storage(StorageFailure::Disk(Arc::new(error)))
    }
}

/// A difference between a node and the identity in its data directory, or a refusal by its group.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// The data directory belongs to another node.
    #[error("the data directory belongs to node.id {found}, but this node is {own}")]
    NodeId {
        /// The `node.id` in the directory.
        found: String,
        /// The `node.id` of this node.
        own: String,
    },
    /// The data directory belongs to another environment.
    #[error("the data directory belongs to node.environment {found}, but this node is in {own}")]
    Environment {
        /// The environment in the directory.
        found: String,
        /// The environment of this node.
        own: String,
    },
    /// A member refuses this node for good.
    #[error("{member} refused this node: {reason}")]
    Refused {
        /// The `node.id` of the member.
        member: String,
        /// The reason that the member sent.
        reason: String,
    },
}

/// A failure of the disk or of openraft. openraft ends when it cannot use the disk.
///
/// The errors of openraft are not sources, because their texts already contain the texts of their
/// causes. A report of all causes would repeat these texts.
#[derive(Debug, Clone, Error)]
pub enum StorageFailure {
    /// An operation of the disk failed.
    #[error(transparent)]
    Disk(Arc<io::Error>),
    /// openraft did not start.
    #[error("{0}")]
    NotStarted(Arc<Fatal<TypeConfig>>),
    /// openraft has ended with an error.
    #[error("consensus has ended: {0}")]
    Failed(Arc<Fatal<TypeConfig>>),
    /// openraft has ended.
    #[error("consensus has ended")]
    Ended,
}

/// A difference between the state of this node and the states of the other members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Divergence {
    /// The difference was found before the last stop.
    #[error(
        "the state in the data directory differs from that of the other members, as was found \
         before the last stop. Empty it and start the node again; it rejoins by itself"
    )]
    Earlier,
    /// A majority of the members has a state that differs from the state of this node.
    #[error(
        "the state of this node at log index {index} differs from that of the majority. Empty its \
         data directory and start it again; it rejoins by itself"
    )]
    FromMajority {
        /// The log index of the compared states.
        index: u64,
    },
    /// No majority of the members has the same state.
    #[error("the members hold different states at log index {index}, and no majority agrees")]
    NoMajority {
        /// The log index of the compared states.
        index: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use openraft::{ErrorSubject, ErrorVerb, StorageError};
    use std::error::Error;

    /// Returns the text of an error and of its sources, as the server reports a failure.
    fn report(error: &RaftError) -> String {
        let (mut text, mut cause) = (error.to_string(), error.source());
        while let Some(next) = cause {
            text += &format!(": {next}");
            cause = next.source();
        }
        text
    }

    /// A report of a storage failure and its sources contains each text only once.
    #[test]
    fn a_report_repeats_nothing() {
        let io_error = || io::Error::other("cannot sync raft.wal: no space");
        assert_eq!(report(&io_error().into()), "cannot sync raft.wal: no space");
        let (subject, verb) = (ErrorSubject::Logs, ErrorVerb::Write);
        let fatal = Fatal::from(StorageError::from_io_error(subject, verb, io_error()));
        let text = fatal.to_string();
        assert!(text.ends_with("cannot sync raft.wal: no space"), "{text}");
        let failed = |failure: StorageFailure| report(&failure.into());
        let fatal = Arc::new(fatal);
        assert_eq!(failed(StorageFailure::NotStarted(fatal.clone())), text);
        assert_eq!(
            failed(StorageFailure::Failed(fatal)),
            format!("consensus has ended: {text}")
        );
    }
}
