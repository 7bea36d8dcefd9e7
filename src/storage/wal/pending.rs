//! The entries that are in the journal but not in the database yet.

use super::file::Journal;
use crate::storage::codec;
use crate::storage::db::durable_state::put;
use crate::storage::db::schema::{LogTable, Mark, MetaTable, key};
use crate::storage::request::{Op, Queued};
use crate::storage::types::LogId;
use redb::StorageError;
use std::io;

/// The journal, with the records of its frames.
#[derive(Debug)]
pub(crate) struct Journaled {
    journal: Journal,
    records: Vec<(u64, Vec<u8>)>,
}

impl Journaled {
    pub(crate) fn new(journal: Journal) -> Journaled {
        Journaled {
            journal,
            records: Vec::new(),
        }
    }

    /// Returns whether the database has all records of the journal.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns whether a batch can be written to the journal: it consists of appends only, and
    /// there is room for it.
    pub(crate) fn takes(&self, batch: &[Queued]) -> bool {
        let (mut records, mut bytes) = (0, 0);
        for Queued { op, .. } in batch {
            let Op::Append { records: more, .. } = op else {
                return false;
            };
            records += more.len();
            bytes += op.bytes();
        }
        records > 0 && self.journal.has_room(records, bytes)
    }

    /// Writes a batch to the journal. It must satisfy [`Journaled::takes`].
    ///
    /// # Errors
    /// Same as [`Journal::append`].
    pub(crate) fn append(
        &mut self,
        batch: &[Queued],
        committed: Option<LogId>,
        is_synced: bool,
    ) -> io::Result<()> {
        let records = batch.iter().flat_map(|Queued { op, .. }| match op {
            Op::Append { records, .. } => records.as_slice(),
            _ => &[],
        });
        self.journal.append(committed, records, is_synced)
    }

    /// Keeps the records of an operation that was written to the journal.
    pub(crate) fn keep(&mut self, op: &mut Op) {
        if let Op::Append { records, .. } = op {
            self.records.append(records);
        }
    }

    /// Writes all records to the database, within the caller's transaction. Returns the mark that
    /// was stored, which must be passed to [`Journaled::brought_over`] after the commit.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn bring_over(
        &self,
        log: &mut LogTable<'_>,
        meta: &mut MetaTable<'_>,
    ) -> Result<Option<Mark>, StorageError> {
        let mark = self.journal.next_mark();
        if let Some(mark) = mark {
            for (index, record) in &self.records {
                log.insert(index, record.as_slice())?;
            }
            put(meta, key::JOURNAL, Some(codec::encode(&mark)))?;
        }
        Ok(mark)
    }

    /// Discards the records, after the transaction is durable in the database.
    pub(crate) fn brought_over(&mut self, mark: Option<Mark>) {
        self.records.clear();
        if let Some(mark) = mark {
            self.journal.start_over(mark);
        }
    }
}
