//! Failures of the launcher.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use thiserror::Error;

/// Why a command of the launcher failed. Each is exit code [`quorate::config::exit_code::LAUNCHER`].
#[derive(Debug, Error)]
pub enum LauncherError {
    /// A file or directory cannot be used.
    #[error("{path}")]
    File {
        /// Which.
        path: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The pid file is locked and wrong.
    #[error("Pid file '{path}' {what}")]
    PidFile {
        /// Which.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The server cannot be signalled.
    #[error("Signaling pid {pid} failed")]
    Signal {
        /// The server.
        pid: i32,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The server did not end in time.
    #[error("pid {pid} has not stopped within {seconds} s; `kill` ends it at once")]
    StillRunning {
        /// The server.
        pid: i32,
        /// The limit.
        seconds: u64,
    },
    /// The binary cannot be run again.
    #[error("cannot start")]
    Spawn(#[source] io::Error),
    /// The server ended as soon as it was started.
    #[error("the server ended at once ({status}): {reason}")]
    EndedAtOnce {
        /// Its exit code or signal.
        status: ExitStatus,
        /// The last line of its output, or where to look.
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
