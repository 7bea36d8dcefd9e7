//! Failures of a command that have their own exit codes.

use quorate::config::exit_code;
use std::io;

/// A failure that cannot be fixed by asking another server.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A server rejected the request as invalid, or no server knows the endpoint. A retry changes
    /// nothing.
    #[error("{0}")]
    Refused(String),
    /// No server answered in time. Holds one line per server with the reason.
    #[error("{}", .0.join("\n"))]
    Unanswered(Vec<String>),
}

/// Returns the exit code of a process whose command ends with an error.
pub fn exit_code_of(error: &anyhow::Error) -> u8 {
    match error.downcast_ref() {
        Some(CommandError::Refused(_)) => return exit_code::USAGE,
        Some(CommandError::Unanswered(_)) => return exit_code::NOT_READY,
        None => {}
    }
    match error.downcast_ref::<io::Error>() {
        // A reader that closes the pipe early is not a failure.
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => exit_code::OK,
        _ => exit_code::INTERNAL,
    }
}
