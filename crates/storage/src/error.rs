//! The reasons why a data directory was not opened, worded so that an operator can act on them.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The reason why a data directory was not opened. Nothing was served from it.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory is in use by another process.
    #[error("another process uses this data directory: it holds the lock on {}", lock.display())]
    InUse {
        /// The lock file.
        lock: PathBuf,
    },
    /// The directory cannot be created, read or written.
    #[error("the data directory {} cannot be used", dir.display())]
    NotWritable {
        /// The directory.
        dir: PathBuf,
        /// The system's reason, which names the file.
        source: io::Error,
    },
    /// The content of the directory cannot be trusted.
    #[error(
        "{} cannot be trusted: {what}{}. To recover, make sure that the other nodes are healthy, \
         empty {} and start the node again; it rejoins by itself",
        file.display(),
        log_index.map_or_else(String::new, |i| format!(" (log index {i})")),
        dir.display()
    )]
    Corrupt {
        /// The directory.
        dir: PathBuf,
        /// The damaged file.
        file: PathBuf,
        /// The damage that was found.
        what: String,
        /// The log index at which the damage was found, if known.
        log_index: Option<u64>,
    },
    /// The directory was written by a newer release.
    #[error(
        "{} has format {found}, but this release supports formats up to {known}: \
         start the release that wrote it, or a newer one",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// The format of the file.
        found: u32,
        /// The newest format that this release can read.
        known: u32,
    },
}

/// The reason why stored data cannot be used. [`Unreadable::in_file`] adds the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Unreadable {
    /// The data is damaged.
    #[error("{0}")]
    Damaged(String),
    /// The data was written by a newer release.
    #[error("format {found} is newer than {known}")]
    Newer {
        /// The format of the data.
        found: u32,
        /// The newest format that this release can read.
        known: u32,
    },
}

impl Unreadable {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    /// Returns the error for the operator, with the directory, the file and the log index.
    pub(crate) fn in_file(self, dir: &Path, file: &Path, log_index: Option<u64>) -> OpenError {
        match self {
            Self::Damaged(what) => OpenError::Corrupt {
                dir: dir.to_path_buf(),
                file: file.to_path_buf(),
                what,
                log_index,
            },
            Self::Newer { found, known } => OpenError::Newer {
                file: file.to_path_buf(),
                found,
                known,
            },
        }
    }
}
