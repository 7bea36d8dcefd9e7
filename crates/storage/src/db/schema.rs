//! The format, the tables and the keys of the database.

use redb::{Table, TableDefinition};
use serde::{Deserialize, Serialize};

/// The format of the database as a whole: its tables and keys.
///
/// - 1: the whole log is in the database.
/// - 2: the most recent appends may be in a WAL. Until the WAL of a directory is created, the whole
///   log is in the database.
pub(crate) const FORMAT: u32 = 2;

/// The table of log records by log index.
pub(crate) const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
/// The table of single values by name.
pub(crate) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// The table of log records, open for writing.
pub(crate) type LogTable<'a> = Table<'a, u64, &'static [u8]>;
/// The table of single values, open for writing.
pub(crate) type MetaTable<'a> = Table<'a, &'static str, &'static [u8]>;

/// The names in the table of single values.
pub(crate) mod key {
    pub(crate) const FORMAT: &str = "format";
    pub(crate) const IDENTITY: &str = "identity";
    pub(crate) const VOTE: &str = "vote";
    pub(crate) const COMMITTED: &str = "committed";
    pub(crate) const PURGED: &str = "purged";
    pub(crate) const LAST: &str = "last";
    pub(crate) const JOURNAL: &str = "journal";
}

/// The description of the WAL frames that the database does not have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WalEpoch {
    /// A random number that identifies the frames of this WAL.
    pub(crate) salt: u64,
    /// The generation of these frames. It increases each time that frames are moved to the
    /// database.
    pub(crate) generation: u64,
    /// The length of the WAL file. It is stored because a later release may choose a different
    /// length.
    pub(crate) length_bytes: u64,
}
