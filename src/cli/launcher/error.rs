//! Failures of the launcher.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use thiserror::Error;

/// The reason why a launcher command failed. The exit code is
/// [`quorate::config::exit_code::LAUNCHER`].
#[derive(Debug, Error)]
pub enum LauncherError {
    /// A file or directory cannot be used.
    #[error("{path}")]
    File {
        /// The path of the file or directory.
        path: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The pid file is locked, but its content is wrong.
    #[error("Pid file '{path}' {what}")]
    PidFile {
        /// The path of the pid file.
        path: String,
        /// The problem, as the rest of the message.
        what: String,
    },
    /// The server cannot be signalled.
    #[error("Signaling pid {pid} failed")]
    Signal {
        /// The pid of the server.
        pid: i32,
        /// The operating system's error.
        source: io::Error,
    },
    /// The server did not end in time.
    #[error("pid {pid} has not stopped within {seconds} s; use `kill` to end it immediately")]
    StillRunning {
        /// The pid of the server.
        pid: i32,
        /// The time limit in seconds.
        seconds: u64,
    },
    /// This binary cannot be started as the server.
    #[error("cannot start the server")]
    Spawn(#[source] io::Error),
    /// The server ended right after it was started.
    #[error("the server exited immediately ({status}): {reason}")]
    EndedAtOnce {
        /// The exit code or signal of the server.
        status: ExitStatus,
        /// The last line of the server's output, or a reference to its log.
        reason: String,
    },
}

impl LauncherError {
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.display().to_string(),
            source,
        }
    }
}
