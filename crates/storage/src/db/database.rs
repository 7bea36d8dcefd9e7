//! The redb database of a data directory: opening, checking, reading and writing.

use super::schema::{FORMAT, LOG, LogTable, META, MetaTable, WalEpoch, key};
use super::verify;
use crate::error::{Damage, OpenError, Unreadable};
use crate::fail_stop::FailStop;
use crate::log::recovered_state::RecoveredState;
use crate::log::size_index::LogSizeIndex;
use crate::types::Entry;
use crate::vfs::fail_stop_file::FailStopFile;
use crate::vfs::{Vfs, parent_of};
use crate::{codec, layout};
use quorate_planted::{Bug, is_planted};
use redb::{Builder, DatabaseError, ReadableDatabase, StorageError};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Size of redb's page cache. redb's default is 1 GiB. A small cache is enough, since the newest
/// log entries are in memory already.
const CACHE_BYTES: usize = 4 << 20;
/// The durability of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitMode {
    /// A commit with a single fsync.
    OnePhase,
    /// A commit that can be reliably distinguished from a torn one, at the cost of a second fsync.
    TwoPhases,
    /// A commit that becomes durable only some time later. This mode is an injected bug.
    #[cfg(feature = "planted")]
    Unsynced,
}

impl CommitMode {
    /// Returns whether the transaction is on disk when the commit returns.
    pub(crate) fn is_synced(self) -> bool {
        match self {
            CommitMode::OnePhase | CommitMode::TwoPhases => true,
            #[cfg(feature = "planted")]
            CommitMode::Unsynced => false,
        }
    }
}

/// The open database of a data directory.
#[derive(Debug)]
pub(crate) struct Database {
    redb: redb::Database,
    path: PathBuf,
    size_index: LogSizeIndex,
    /// The epoch of the WAL when the database was opened; `None` if there was no WAL yet.
    epoch: Option<WalEpoch>,
}

impl Database {
    /// Creates a new database. The file is written under a temporary name, closed, and renamed into
    /// place. The database and its name are durable on return.
    pub(crate) fn create(vfs: &dyn Vfs, dir: &Path) -> io::Result<()> {
        let path = dir.join(layout::DATABASE);
        let tmp = dir.join(format!("{}{}", layout::DATABASE, layout::TEMPORARY_SUFFIX));
        let backend = FailStopFile::new(vfs.create_new(&tmp)?, &FailStop::new());
        let redb = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)
            .map_err(|e| io_error(&tmp, e))?;
        let database = Self {
            redb,
            path: tmp.clone(),
            size_index: LogSizeIndex::default(),
            epoch: None,
        };
        database.write(CommitMode::TwoPhases, |_, meta| {
            meta.insert(key::FORMAT, &FORMAT.to_le_bytes()[..])?;
            Ok(())
        })?;
        database.close()?;
        vfs.open(&tmp)?.sync_all()?;
        vfs.rename(&tmp, &path)?;
        vfs.sync_dir(dir)?;
        vfs.sync_dir(&parent_of(dir))
    }

    /// Opens the database and checks everything: every page, every record, and that the log has no
    /// gap.
    pub(crate) fn open(
        vfs: &dyn Vfs,
        dir: &Path,
        fail_stop: &FailStop,
    ) -> Result<(Self, RecoveredState), OpenError> {
        let path = dir.join(layout::DATABASE);
        let corrupt = |what: Damage| Unreadable::Damaged(what).in_file(dir, &path, None);
        let io = |source| OpenError::NotWritable {
            dir: dir.to_path_buf(),
            source,
        };
        let file = vfs.open(&path).map_err(io)?;
        if file.is_empty().map_err(io)? {
            // An empty file is rejected here, since redb would create a new database in it.
            return Err(corrupt("it is empty".into()));
        }
        let opened = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(FailStopFile::new(file, fail_stop));
        if opened.is_err() && is_planted(Bug::DamageTruncates) {
            for file in [layout::DATABASE, layout::JOURNAL] {
                vfs.remove(&dir.join(file)).map_err(io)?;
            }
            Self::create(vfs, dir).map_err(io)?;
            return Self::open(vfs, dir, fail_stop);
        }
        let redb = opened.map_err(|e| match e {
            DatabaseError::Storage(StorageError::Io(e))
                if !matches!(
                    e.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                io(e)
            }
            other => corrupt(redb::Error::from(other).into()),
        })?;
        let mut database = Self {
            redb,
            path: path.clone(),
            size_index: LogSizeIndex::default(),
            epoch: None,
        };
        let checked = verify::database(&database.redb).map_err(|e| match e {
            verify::Failure::Redb(redb::Error::Io(source)) => io(source),
            verify::Failure::Redb(other) => corrupt(other.into()),
            verify::Failure::Content(index, what) => what.in_file(dir, &path, index),
        })?;
        (database.size_index, database.epoch) = (checked.size_index, checked.epoch);
        if let Some(upto) = checked.leftover {
            database
                .write(CommitMode::OnePhase, |log, _| {
                    log.retain_in(..=upto, |_, _| false)
                })
                .map_err(io)?;
        }
        Ok((database, checked.recovered))
    }

    /// Returns the map from log indexes to log size, as it was when the log was opened. The map
    /// includes the entries in the WAL.
    pub(crate) fn size_index(&self) -> &LogSizeIndex {
        &self.size_index
    }

    /// Returns the WAL epoch that was stored in the database when it was opened; `None` if there
    /// was no WAL yet. The epoch identifies the frames that were not in the database.
    pub(crate) fn epoch(&self) -> Option<WalEpoch> {
        self.epoch
    }

    /// Adds `bytes` bytes of WAL records to the size of the log that was opened. The log then ends
    /// with index `last`.
    pub(crate) fn grow_by(&mut self, last: Option<u64>, bytes: u64) {
        self.size_index.note_opened(last, bytes);
    }

    /// Runs a transaction over both tables and commits it. Unless `commit` is unsynced, redb syncs
    /// the file and the transaction is durable on return.
    pub(crate) fn write(
        &self,
        commit: CommitMode,
        change: impl FnOnce(&mut LogTable<'_>, &mut MetaTable<'_>) -> Result<(), StorageError>,
    ) -> io::Result<()> {
        let run = || -> Result<(), redb::Error> {
            let mut txn = self.redb.begin_write()?;
            txn.set_two_phase_commit(commit == CommitMode::TwoPhases);
            #[cfg(feature = "planted")]
            if commit == CommitMode::Unsynced {
                txn.set_durability(redb::Durability::None)?;
            }
            {
                let mut log = txn.open_table(LOG)?;
                let mut meta = txn.open_table(META)?;
                change(&mut log, &mut meta)?;
            }
            Ok(txn.commit()?)
        };
        run().map_err(|e| io_error(&self.path, e))
    }

    /// Reads entries and the sizes of their records, up to `bytes_max` bytes but at least one
    /// entry.
    pub(crate) fn read(
        &self,
        range: Range<u64>,
        bytes_max: usize,
    ) -> io::Result<Vec<(Entry, usize)>> {
        let mut records = Vec::new();
        let collect = |records: &mut Vec<(u64, Vec<u8>)>| -> Result<(), redb::Error> {
            let mut bytes = 0;
            for item in self.redb.begin_read()?.open_table(LOG)?.range(range)? {
                let (index, record) = item?;
                bytes += record.value().len();
                if bytes > bytes_max && !records.is_empty() {
                    break;
                }
                records.push((index.value(), record.value().to_vec()));
            }
            Ok(())
        };
        collect(&mut records).map_err(|e| io_error(&self.path, e))?;
        let damaged = |index, what| {
            let text = format!("{}: log index {index}: {what}", self.path.display());
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        records
            .into_iter()
            .map(
                |(index, record)| match codec::decode_entry(index, &record) {
                    Ok(entry) => Ok((entry, record.len())),
                    Err(what) => Err(damaged(index, what)),
                },
            )
            .collect()
    }

    /// Closes the database cleanly, so that the next open has nothing to repair.
    pub(crate) fn close(self) -> io::Result<()> {
        self.redb.close().map_err(|e| io_error(&self.path, e))
    }
}

fn io_error(path: &Path, error: impl Into<redb::Error>) -> io::Error {
    match error.into() {
        redb::Error::Io(e) => e,
        redb::Error::Corrupted(what) => io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is damaged: {what}", path.display()),
        ),
        other => io::Error::other(format!("{}: {other}", path.display())),
    }
}
