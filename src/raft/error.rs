//! Errors of reads and writes, and the reasons for which a node does not start or stops.

use crate::storage::types::TypeConfig;
use openraft::ConfigError;
use openraft::errors::Fatal;
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// Error of a lookup that could not be served. A retry, later or on another node, may succeed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// The reason, in one line for the client.
    pub reason: String,
}

pub(super) fn unavailable(reason: impl Into<String>) -> Unavailable {
    Unavailable {
        reason: reason.into(),
    }
}

/// Error of a write that was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The write was certainly not applied. If its client sent it again unchanged, it would be
    /// refused again. HTTP status 400.
    #[error("{0}")]
    Refused(String),
    /// The write was certainly not applied. HTTP status 503 with `Quorate-Applied: no`.
    #[error("{0}")]
    NotApplied(String),
    /// The write may have been applied, or may still be applied later. HTTP status 503 with
    /// `Quorate-Applied: unknown`.
    #[error("{0}")]
    Unknown(String),
}

impl WriteError {
    /// Returns the error for a write that would exceed the registry's size limit.
    pub(super) fn full() -> WriteError {
        WriteError::NotApplied("the registry is full: the limit is 256 MB".to_owned())
    }

    /// Returns the error for an announcement that was refused as over a limit when its entry was
    /// applied. This node had not refused it before, perhaps because its registry was behind.
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
        /// The reason that it sent.
        reason: String,
    },
}

/// A failure of the disk, or of openraft, which ends when it cannot use the disk.
///
/// The errors of openraft are not sources, because their texts contain the texts of their own
/// sources. A report of all causes would repeat these.
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
    /// A majority has another state.
    #[error(
        "the state of this node at log index {index} differs from that of the majority. Empty its \
         data directory and start it again; it rejoins by itself"
    )]
    FromMajority {
        /// The log index of the compared states.
        index: u64,
    },
    /// No state is that of a majority.
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

    /// A report of a storage failure with its sources contains the text of each only once.
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
