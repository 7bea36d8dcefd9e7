//! The names of the files in a data directory.

/// The database.
pub(super) const DATABASE: &str = "raft.redb";
/// The journal.
pub(super) const JOURNAL: &str = "raft.journal";
/// The lock. It stays when the lock goes: removing it would let two processes lock two files.
pub(super) const LOCK: &str = "LOCK";
/// The space that is given up when the disk is almost full.
pub(super) const BALLAST: &str = "ballast";

pub(super) const SNAPSHOT_PREFIX: &str = "snapshot-";
pub(super) const SNAPSHOT_SUFFIX: &str = ".snap";

/// Files that are written aside and then renamed; what a crash leaves of them is removed.
pub(super) const TEMPORARY_SUFFIX: &str = ".tmp";
