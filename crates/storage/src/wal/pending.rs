//! The entries that are in the WAL but not in the database yet.

use super::file::Wal;
use crate::codec;
use crate::db::durable_state::put;
use crate::db::schema::{LogTable, MetaTable, WalEpoch, key};
use crate::request::{QueuedRequest, WriteRequest};
use crate::types::LogId;
use redb::StorageError;
use std::io;

/// The WAL. The records of its frames stay in memory until they are in the database.
#[derive(Debug)]
pub(crate) struct PendingWal {
    wal: Wal,
    records: Vec<(u64, Vec<u8>)>,
}

impl PendingWal {
    pub(crate) fn new(wal: Wal) -> PendingWal {
        PendingWal {
            wal,
            records: Vec::new(),
        }
    }

    /// Returns whether the database has all records of the WAL.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns whether a batch can be written to the WAL: it consists of appends only, and
    /// there is room for it.
    pub(crate) fn accepts(&self, batch: &[QueuedRequest]) -> bool {
        let (mut records, mut bytes) = (0, 0);
        for QueuedRequest { request, .. } in batch {
            let WriteRequest::Append { records: more, .. } = request else {
                return false;
            };
            records += more.len();
            bytes += request.bytes();
        }
        records > 0 && self.wal.has_room(records, bytes)
    }

    /// Writes a batch to the WAL. The batch must satisfy [`PendingWal::accepts`].
    ///
    /// # Errors
    /// Same as [`Wal::append`].
    pub(crate) fn append(
        &mut self,
        batch: &[QueuedRequest],
        committed: Option<LogId>,
        is_synced: bool,
    ) -> io::Result<()> {
        let records = batch
            .iter()
            .flat_map(|QueuedRequest { request, .. }| match request {
                WriteRequest::Append { records, .. } => records.as_slice(),
                _ => &[],
            });
        self.wal.append(committed, records, is_synced)
    }

    /// Keeps the records of a request that was written to the WAL, for the next checkpoint.
    pub(crate) fn keep(&mut self, request: &mut WriteRequest) {
        if let WriteRequest::Append { records, .. } = request {
            self.records.append(records);
        }
    }

    /// Moves all records to the database (checkpoint), within the caller's transaction. Returns the
    /// epoch that was stored, which must be passed to [`PendingWal::checkpointed`] after the
    /// commit.
    ///
    /// # Errors
    /// Returns the database's error.
    pub(crate) fn checkpoint(
        &self,
        log: &mut LogTable<'_>,
        meta: &mut MetaTable<'_>,
    ) -> Result<Option<WalEpoch>, StorageError> {
        let epoch = self.wal.next_epoch();
        if let Some(epoch) = epoch {
            for (index, record) in &self.records {
                log.insert(index, record.as_slice())?;
            }
            put(meta, key::JOURNAL, Some(codec::encode(&epoch)))?;
        }
        Ok(epoch)
    }

    /// Discards the records and starts the next generation of the WAL. Must be called only once the
    /// transaction of [`PendingWal::checkpoint`] is durable.
    pub(crate) fn checkpointed(&mut self, epoch: Option<WalEpoch>) {
        self.records.clear();
        if let Some(epoch) = epoch {
            self.wal.start_over(epoch);
        }
    }
}
