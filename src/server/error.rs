//! The failure that ends the server, with the exit code of its process.

use crate::config::exit_code;
use crate::raft;
use crate::raft::disk::OpenError;
use thiserror::Error;

/// Why the server did not start, or did not go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct StartError {
    /// One line for the operator.
    pub message: String,
    /// One of [`crate::config::exit_code`].
    pub exit_code: u8,
}

impl StartError {
    pub(super) fn new(exit_code: u8, message: impl ToString) -> StartError {
        StartError {
            message: message.to_string(),
            exit_code,
        }
    }
}

impl From<raft::StartError> for StartError {
    fn from(error: raft::StartError) -> StartError {
        let exit_code = match &error {
            raft::StartError::Identity(_) => exit_code::IDENTITY,
            raft::StartError::Diverged(_) => exit_code::DIVERGED,
            raft::StartError::Storage(_) => exit_code::DISK_FAILED,
            raft::StartError::Settings(_) => exit_code::CONFIG,
        };
        StartError::new(exit_code, error)
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> StartError {
        StartError::new(exit_code_of(&error), error)
    }
}

/// The exit code of a process that cannot open its data directory.
pub fn exit_code_of(error: &OpenError) -> u8 {
    match error {
        OpenError::InUse { .. } => exit_code::DATA_IN_USE,
        OpenError::NotWritable { source, .. } => exit_code::of_data_error(source),
        OpenError::Corrupt { .. } | OpenError::Newer { .. } => exit_code::DATA_CORRUPT,
    }
}
