//! The reasons why a data directory was not opened, worded so that an operator can act on them.

use openraft::errors::MembershipError;
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
        what: Damage,
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

/// Damage of stored data.
#[derive(Debug, Error)]
pub enum Damage {
    /// The content contradicts itself or other data. The text describes the contradiction.
    #[error("{0}")]
    Content(String),
    /// A record is not the encoding of a value.
    #[error("a record cannot be decoded: {0}")]
    Record(#[from] postcard::Error),
    /// The data contains an invalid membership.
    #[error(transparent)]
    Membership(#[from] BadMembership),
    /// redb cannot read its file.
    #[error(transparent)]
    Database(Box<redb::Error>),
}

impl From<redb::Error> for Damage {
    fn from(error: redb::Error) -> Self {
        Self::Database(Box::new(error))
    }
}

impl From<String> for Damage {
    fn from(what: String) -> Self {
        Self::Content(what)
    }
}

impl From<&str> for Damage {
    fn from(what: &str) -> Self {
        Self::Content(what.to_owned())
    }
}

/// The reason why a membership is invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadMembership {
    /// There are no voters.
    #[error("it has no voters")]
    NoVoters,
    /// There are too many members.
    #[error("it has {members} members; the limit is {members_max}")]
    TooMany {
        /// The number of members.
        members: usize,
        /// The limit.
        members_max: usize,
    },
    /// The `node.id` or the address of a member is invalid.
    #[error("it has an invalid member, {node_id} at {address}")]
    Member {
        /// The `node.id`, in a form suitable for messages.
        node_id: String,
        /// The address, in a form suitable for messages.
        address: String,
    },
    /// The voters and the members contradict each other.
    #[error("it contains no valid membership: {0}")]
    Inconsistent(#[from] MembershipError<u64>),
}

/// The reason why stored data cannot be used. [`Unreadable::in_file`] adds the file.
#[derive(Debug, Error)]
pub(crate) enum Unreadable {
    /// The data is damaged.
    #[error(transparent)]
    Damaged(Damage),
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
    pub(crate) fn damaged(what: impl Into<Damage>) -> Self {
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
