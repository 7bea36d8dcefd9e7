//! Errors of the requests of a node that looks for its group.

use crate::raft::transport::CallError;
use crate::raft::transport::message_checks::InvalidMessage;
use thiserror::Error;

/// The reason why a node has reported no valid view of its group.
#[derive(Debug, Error)]
pub(crate) enum ProbeError {
    /// The node did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is invalid.
    #[error("sent an invalid answer: {0}")]
    Invalid(#[from] InvalidMessage),
    /// The answer is of another kind than the request.
    #[error("sent an unexpected answer")]
    Unexpected,
}

/// The reason why the group has not let this node join.
#[derive(Debug, Error)]
pub(crate) enum NotJoined {
    /// No member sent a usable answer.
    #[error("no member of the group answers")]
    NoAnswer,
    /// The last member that was asked did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer of the last member is invalid.
    #[error("{address} sent an invalid answer: {source}")]
    Invalid {
        address: String,
        source: InvalidMessage,
    },
    /// The group refuses this node, for the reason that it sent.
    #[error("the group does not accept this node: {0}")]
    Refused(String),
}
