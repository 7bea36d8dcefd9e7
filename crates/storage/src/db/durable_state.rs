//! The bounds of the log on disk, and how a request changes them within a transaction.

use super::schema::{LogTable, MetaTable, key};
use crate::codec;
use crate::log::bounds::{kept_after, next_index};
use crate::log::recovered_state::RecoveredState;
use crate::request::WriteRequest;
use crate::types::LogId;
use redb::{ReadableTable, StorageError};
use std::io;
use std::ops::RangeBounds;

/// Maximum number of purged entries that a single commit deletes. Deleting them takes 0.6 ms.
/// Without this limit, appends would have to wait for a whole purge.
const PURGE_SLICE: u64 = 2_000;

/// The bounds of the log on disk. While a transaction is prepared, these are the bounds after its
/// commit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DurableState {
    pub(crate) last: Option<LogId>,
    pub(crate) purged: Option<LogId>,
    pub(crate) committed: Option<LogId>,
    /// The size of the log records, in bytes.
    pub(crate) log_bytes: u64,
    /// Whether purged entries are still to be deleted.
    pub(crate) purging: bool,
}

impl DurableState {
    pub(crate) fn new(recovered: &RecoveredState, log_bytes: u64) -> Self {
        Self {
            last: recovered.last,
            purged: recovered.purged,
            committed: recovered.committed,
            log_bytes,
            purging: false,
        }
    }

    /// Updates the bounds for an append that is written to the WAL.
    pub(crate) fn record_wal_append(&mut self, request: &WriteRequest) {
        if let WriteRequest::Append { last, .. } = request {
            self.last = *last;
            self.log_bytes += request.bytes() as u64;
        }
    }

    /// Applies a request to the tables and to these bounds.
    pub(crate) fn apply(
        &mut self,
        request: &WriteRequest,
        log: &mut LogTable<'_>,
        meta: &mut MetaTable<'_>,
    ) -> Result<(), StorageError> {
        match request {
            WriteRequest::Append { records, last, .. } => {
                for (index, record) in records {
                    let replaced = log
                        .insert(index, record.as_slice())?
                        .map_or(0, |old| old.value().len() as u64);
                    self.log_bytes =
                        (self.log_bytes + record.len() as u64).saturating_sub(replaced);
                }
                self.last = *last;
            }
            WriteRequest::TruncateAfter { last, .. } => {
                self.last = kept_after(self.last, self.purged, *last);
                self.delete(log, next_index(self.last)..)?;
            }
            WriteRequest::Purge { upto } => {
                if next_index(self.last) <= upto.index {
                    self.last = Some(*upto);
                }
                self.purged = Some(*upto);
                self.purging = true;
                put(meta, key::PURGED, Some(codec::encode_log_id(*upto)))?;
            }
            WriteRequest::Vote { vote, .. } => {
                put(meta, key::VOTE, Some(codec::encode_vote(vote)))?
            }
            WriteRequest::Identity { identity, .. } => {
                put(meta, key::IDENTITY, Some(codec::encode(identity)))?
            }
            WriteRequest::Wipe { .. } => {
                log.retain(|_, _| false)?;
                for name in [
                    key::VOTE,
                    key::COMMITTED,
                    key::PURGED,
                    key::LAST,
                    key::IDENTITY,
                ] {
                    meta.remove(name)?;
                }
                *self = Self::default();
            }
            WriteRequest::Close { .. } => {}
        }
        Ok(())
    }

    /// Deletes the oldest purged entries that are still in the table, up to [`PURGE_SLICE`] of
    /// them.
    pub(crate) fn purge_slice(&mut self, log: &mut LogTable<'_>) -> Result<(), StorageError> {
        let Some(upto) = self.purged.filter(|_| self.purging).map(|p| p.index) else {
            return Ok(());
        };
        let first = log.first()?.map(|(index, _)| index.value());
        let Some(first) = first.filter(|first| *first <= upto) else {
            self.purging = false;
            return Ok(());
        };
        let end = upto.min(first + (PURGE_SLICE - 1));
        self.delete(log, ..=end)?;
        self.purging = end < upto;
        Ok(())
    }

    /// Deletes the entries of a range.
    fn delete(
        &mut self,
        log: &mut LogTable<'_>,
        range: impl RangeBounds<u64>,
    ) -> Result<(), StorageError> {
        let mut bytes = 0;
        log.retain_in(range, |_, record| {
            bytes += record.len() as u64;
            false
        })?;
        self.log_bytes = self.log_bytes.saturating_sub(bytes);
        Ok(())
    }
}

/// Writes a value, or removes it if `record` is `None`.
pub(crate) fn put(
    meta: &mut MetaTable<'_>,
    name: &str,
    record: Option<Result<Vec<u8>, postcard::Error>>,
) -> Result<(), StorageError> {
    match record {
        None => meta.remove(name)?,
        Some(record) => {
            let record = record.map_err(|e| StorageError::Io(io::Error::other(e)))?;
            meta.insert(name, record.as_slice())?
        }
    };
    Ok(())
}
