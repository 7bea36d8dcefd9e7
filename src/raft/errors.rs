//! Why a read or a write was not served, as the client may see it.

use thiserror::Error;

/// A lookup could not be served; trying again later, or elsewhere, may help.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// One line for the client.
    pub reason: String,
}

/// A write was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// It surely did not happen: 503 with `Quorate-Applied: no`.
    #[error("{0}")]
    NotApplied(String),
    /// It may have happened, or still may: 503 with `Quorate-Applied: unknown`.
    #[error("{0}")]
    Unknown(String),
}
