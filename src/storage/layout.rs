//! The names of the files in a data directory.

/// The database.
pub(crate) const DATABASE: &str = "raft.redb";
/// The journal.
pub(crate) const JOURNAL: &str = "raft.journal";
/// The lock. It stays when the lock goes: removing it would let two processes lock two files.
pub(crate) const LOCK: &str = "LOCK";
/// The space that is given up when the disk is almost full.
pub(crate) const BALLAST: &str = "ballast";

pub(crate) const SNAPSHOT_PREFIX: &str = "snapshot-";
pub(crate) const SNAPSHOT_SUFFIX: &str = ".snap";

/// Files that are written aside and then renamed; what a crash leaves of them is removed.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";
