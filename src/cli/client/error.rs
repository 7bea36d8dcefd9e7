//! Failures of a command that have exit codes of their own.

use quorate::config::exit_code;
use std::io;

/// A failure that asking another server does not mend.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A server calls the question wrong, or none of them knows it: asking again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// No server answered in time: a line for each that says why.
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
        // A reader that has seen enough is no failure.
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => exit_code::OK,
        _ => exit_code::INTERNAL,
    }
}
