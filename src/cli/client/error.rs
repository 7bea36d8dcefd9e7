//! Why a command ends without what was asked for.

use quorate::config::exit_code;
use std::io;

/// What a command cannot go on from.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No HTTP client can be made.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// A server calls the question wrong, or none of them knows it: asking again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// No server answered in time: a line for each that says why.
    #[error("{}", .0.join("\n"))]
    Unanswered(Vec<String>),
    /// Standard output takes nothing more.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// The command of `--exec` cannot be run at all.
    #[error("cannot run sh: {0}")]
    Exec(#[source] io::Error),
}

impl CommandError {
    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            CommandError::Refused(_) => exit_code::USAGE,
            CommandError::Unanswered(_) => exit_code::NOT_READY,
            CommandError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                exit_code::OK
            }
            CommandError::Client(_) | CommandError::Output(_) | CommandError::Exec(_) => {
                exit_code::INTERNAL
            }
        }
    }
}
