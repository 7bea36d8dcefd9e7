//! The names of the files in a data directory.

/// The database.
pub const DATABASE: &str = "raft.redb";
/// The write-ahead log (WAL).
pub const JOURNAL: &str = "raft.journal";
/// The lock file. It is not removed when it is unlocked. Otherwise two processes could lock two
/// different files of this name.
pub(crate) const LOCK: &str = "LOCK";
/// The reserved space that is released when the disk is almost full.
pub(crate) const BALLAST: &str = "ballast";

pub(crate) const SNAPSHOT_PREFIX: &str = "snapshot-";
pub(crate) const SNAPSHOT_SUFFIX: &str = ".snap";

/// Suffix of files that are written first and then renamed. When the directory is opened, files
/// with this suffix that a crash left behind are removed.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";
