//! Errors of reads and writes, and the reasons for which a node does not start or stops.

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
    /// The write was certainly not applied. The same request would be refused again. HTTP status
    /// 400.
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

    /// Returns the error for an announcement that exceeded a size limit when its entry was applied.
    /// This node accepted the announcement on arrival, perhaps because its registry was behind.
    pub(super) fn over_limit() -> WriteError {
        let reason = "services or location exceeds the limit for an announcement";
        WriteError::Refused(reason.to_owned())
    }
}

/// The reason why a node cannot continue. The process ends; its exit code says whether a restart
/// may help.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RaftError {
    /// The data directory belongs to another node or another group. An operator must intervene.
    #[error("{0}")]
    Identity(String),
    /// The data on disk cannot be read, written or trusted.
    #[error("{0}")]
    Storage(String),
    /// This node's state differs from the state of the other members. An operator must intervene.
    #[error("{0}")]
    Diverged(String),
    /// The settings contradict each other.
    #[error("{0}")]
    Settings(String),
}

impl From<std::io::Error> for RaftError {
    fn from(error: std::io::Error) -> RaftError {
        RaftError::Storage(error.to_string())
    }
}
