//! Why a read or a write was not served, and why a node does not start or stops.

use thiserror::Error;

/// A lookup could not be served; trying again later, or elsewhere, may help.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// One line for the client.
    pub reason: String,
}

pub(super) fn unavailable(reason: impl Into<String>) -> Unavailable {
    Unavailable {
        reason: reason.into(),
    }
}

/// A write was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// It surely did not happen, and never will as it is: 400.
    #[error("{0}")]
    Refused(String),
    /// It surely did not happen: 503 with `Quorate-Applied: no`.
    #[error("{0}")]
    NotApplied(String),
    /// It may have happened, or still may: 503 with `Quorate-Applied: unknown`.
    #[error("{0}")]
    Unknown(String),
}

impl WriteError {
    /// The registry has no room for it.
    pub(super) fn full() -> WriteError {
        WriteError::NotApplied("the registry holds as much as it may".to_owned())
    }

    /// The registry refuses an announcement that this node, which may be behind, did not.
    pub(super) fn over_limit() -> WriteError {
        let reason = "services or location is larger than an announcement may have";
        WriteError::Refused(reason.to_owned())
    }
}

/// Why a node cannot go on. The process ends; which of these a restart may mend is in its exit code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StartError {
    /// The data directory is not this node's, or not this group's. A person has to look.
    #[error("{0}")]
    Identity(String),
    /// What is on disk cannot be read, written or trusted.
    #[error("{0}")]
    Storage(String),
    /// What this node holds differs from what the others hold. A person has to look.
    #[error("{0}")]
    Diverged(String),
    /// Settings that contradict each other.
    #[error("{0}")]
    Settings(String),
}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> StartError {
        StartError::Storage(error.to_string())
    }
}
