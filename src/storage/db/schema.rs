//! The format, the tables and the keys of the database.

use redb::{Table, TableDefinition};
use serde::{Deserialize, Serialize};

/// The format of the database as a whole: its tables and keys.
///
/// - 1: the log is all there.
/// - 2: what was appended last may be in a journal; before that is made it is not.
pub(crate) const FORMAT: u32 = 2;

/// Log index to record.
pub(crate) const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
/// Name to record.
pub(crate) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// The log's table, open for writing.
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

/// Which frames of the journal the database does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Of chance: what marks this journal's frames.
    pub(crate) salt: u64,
    /// Those of this generation.
    pub(crate) generation: u64,
    /// Of the journal, in which a later release may make it another.
    pub(crate) length_bytes: u64,
}
