//! The check of a whole database, which runs once, when the database is opened.

use super::schema::{FORMAT, LOG, META, WalEpoch, key};
use crate::codec;
use crate::error::Unreadable;
use crate::log::bounds::next_index;
use crate::log::recovered_state::RecoveredState;
use crate::log::size_index::LogSizeIndex;
use crate::types::LogId;
use redb::{ReadableDatabase, ReadableTable, StorageError, TableError, TransactionError};

/// The reason why a check failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// redb could not read the database, or found it damaged.
    Redb(redb::Error),
    /// The content is invalid. If the problem is in a log entry, the number is the index of that
    /// entry.
    Content(Option<u64>, Unreadable),
}

impl From<StorageError> for Failure {
    fn from(e: StorageError) -> Self {
        Self::Redb(e.into())
    }
}

impl From<TransactionError> for Failure {
    fn from(e: TransactionError) -> Self {
        Self::Redb(e.into())
    }
}

impl From<TableError> for Failure {
    fn from(e: TableError) -> Self {
        match e {
            TableError::Storage(e) => e.into(),
            other => Self::Content(None, Unreadable::damaged(redb::Error::from(other))),
        }
    }
}

impl From<Unreadable> for Failure {
    fn from(what: Unreadable) -> Self {
        Self::Content(None, what)
    }
}

/// The content of a database that passed the check.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) recovered: RecoveredState,
    /// The map from log indexes to cumulative log size.
    pub(crate) size_index: LogSizeIndex,
    /// The WAL epoch, which identifies the WAL frames that are not in the database.
    pub(crate) epoch: Option<WalEpoch>,
    /// The highest index of a purged entry that is still in the table, because the purge was
    /// interrupted.
    pub(crate) leftover: Option<u64>,
}

/// Reads the single values and every log entry, and checks that:
///
/// - The format is known, and the checksum of every record matches.
/// - The log has no gap from after `purged` to `last`, and the record under each index holds the
///   entry with that index.
/// - The term of the vote is not lower than that of the last entry.
/// - Nothing past the end of the log was purged or committed.
pub(crate) fn database(redb: &redb::Database) -> Result<Checked, Failure> {
    let (recovered, epoch) = values(redb)?;
    check_ends(&recovered)?;
    let first = next_index(recovered.purged);
    let mut checked = Checked {
        recovered,
        size_index: LogSizeIndex::default(),
        epoch,
        leftover: None,
    };
    let mut next = first;
    for item in redb.begin_read()?.open_table(LOG)?.iter()? {
        let (index, record) = item?;
        let index = index.value();
        if index < first {
            checked.leftover = Some(index);
            continue;
        }
        let damaged = |what: &str| Failure::Content(Some(next), Unreadable::damaged(what));
        if index != next {
            return Err(damaged("the entry is missing"));
        }
        let entry = codec::decode_entry(index, record.value())
            .map_err(|what| Failure::Content(Some(index), what))?;
        let last = checked.recovered.last;
        if index >= next_index(last)
            || (index + 1 == next_index(last) && Some(entry.log_id) != last)
        {
            return Err(damaged(
                "the log does not end with the entry recorded as its last",
            ));
        }
        let bytes = record.value().len() as u64;
        checked.size_index.note_opened(Some(index), bytes);
        next += 1;
    }
    if next != next_index(checked.recovered.last) {
        return Err(Failure::Content(
            Some(next),
            Unreadable::damaged("the entry is missing"),
        ));
    }
    Ok(checked)
}

/// Reads the single values, and checks that the format is known.
fn values(redb: &redb::Database) -> Result<(RecoveredState, Option<WalEpoch>), Failure> {
    let meta = redb.begin_read()?.open_table(META)?;
    let get = |name| -> Result<Option<Vec<u8>>, Failure> {
        Ok(meta.get(name)?.map(|v| v.value().to_vec()))
    };
    let log_id = |name| -> Result<Option<LogId>, Failure> {
        Ok(get(name)?
            .as_deref()
            .map(codec::decode_log_id)
            .transpose()?)
    };
    let format = get(key::FORMAT)?
        .and_then(|f| f.try_into().ok())
        .map(u32::from_le_bytes);
    let found = format.ok_or_else(|| Unreadable::damaged("it has no format number"))?;
    if found == 0 {
        return Err(Unreadable::damaged("its format is 0").into());
    }
    if found > FORMAT {
        return Err(Unreadable::Newer {
            found,
            known: FORMAT,
        }
        .into());
    }
    let epoch = get(key::JOURNAL)?
        .as_deref()
        .map(codec::decode)
        .transpose()?;
    let recovered = RecoveredState {
        identity: get(key::IDENTITY)?
            .as_deref()
            .map(codec::decode)
            .transpose()?,
        vote: get(key::VOTE)?
            .as_deref()
            .map(codec::decode_vote)
            .transpose()?,
        committed: log_id(key::COMMITTED)?,
        purged: log_id(key::PURGED)?,
        last: log_id(key::LAST)?,
    };
    Ok((recovered, epoch))
}

/// Checks that the term of the vote is not lower than that of the last entry. Also checks that
/// nothing past the end of the log was purged or committed.
pub(crate) fn check_ends(recovered: &RecoveredState) -> Result<(), Unreadable> {
    let last_term = recovered.last.map_or(0, |id| id.leader_id.term);
    if recovered.vote.map_or(0, |v| v.leader_id.term) < last_term {
        return Err(Unreadable::damaged(format!(
            "the vote is older than the log's last term, {last_term}"
        )));
    }
    if next_index(recovered.last)
        < next_index(recovered.purged).max(next_index(recovered.committed))
    {
        return Err(Unreadable::damaged(
            "the log ends before the last purged or committed entry",
        ));
    }
    Ok(())
}
