//! Why a data directory was not opened, said so that a person can act on it.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A data directory was not opened. Nothing was served from it.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process uses it.
    #[error("another process uses this data directory: it holds the lock on {}", lock.display())]
    InUse {
        /// The lock file.
        lock: PathBuf,
    },
    /// It cannot be made, read or written.
    #[error("the data directory {} cannot be used", dir.display())]
    NotWritable {
        /// The directory.
        dir: PathBuf,
        /// The system's reason, which names the file.
        source: io::Error,
    },
    /// What it holds cannot be trusted.
    #[error(
        "{} cannot be trusted: {what}{}; the way out: make sure that the other nodes are well, \
         empty {} and start the node again: it rejoins by itself",
        file.display(),
        log_index.map_or_else(String::new, |i| format!(" (log index {i})")),
        dir.display()
    )]
    Corrupt {
        /// The directory.
        dir: PathBuf,
        /// The file.
        file: PathBuf,
        /// What is wrong in it.
        what: String,
        /// The log index it was found at, when known.
        log_index: Option<u64>,
    },
    /// A newer release wrote it.
    #[error(
        "{} has format {found}, and this release knows formats up to {known}: start the release that wrote it, or a newer one",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this release reads.
        known: u32,
    },
}

/// Why something read back cannot be used, before the file is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Unreadable {
    /// It is damaged.
    #[error("{0}")]
    Damaged(String),
    /// A newer release wrote it.
    #[error("format {found} is newer than {known}")]
    Newer {
        /// The format found.
        found: u32,
        /// The newest one known.
        known: u32,
    },
}

impl Unreadable {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

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
