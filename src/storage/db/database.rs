//! The redb database of a data directory: opened, checked, read and written.

use super::schema::{FORMAT, LOG, LogTable, META, Mark, MetaTable, key};
use super::verify;
use crate::planted::{Bug, is_planted};
use crate::storage::error::{OpenError, Unreadable};
use crate::storage::fail_stop::Latch;
use crate::storage::log::recovered_state::Held;
use crate::storage::log::size_index::LogGrowth;
use crate::storage::types::Entry;
use crate::storage::vfs::fail_stop_file::Guarded;
use crate::storage::vfs::{Vfs, parent_of};
use crate::storage::{codec, layout};
use redb::{Builder, DatabaseError, ReadableDatabase, StorageError};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// redb's default is 1 GiB; the tail of the log is in memory already, so pages need little.
const CACHE_BYTES: usize = 4 << 20;
/// How a transaction is brought to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    /// With one sync.
    OnePhase,
    /// Told from a torn one for certain, at the price of a second sync.
    TwoPhases,
    /// Some time after: an error that is planted.
    #[cfg(feature = "planted")]
    Unsynced,
}

impl Commit {
    /// Whether it is on disk on return.
    pub(crate) fn is_synced(self) -> bool {
        match self {
            Commit::OnePhase | Commit::TwoPhases => true,
            #[cfg(feature = "planted")]
            Commit::Unsynced => false,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Database {
    redb: redb::Database,
    path: PathBuf,
    growth: LogGrowth,
    /// None before the first journal was made.
    mark: Option<Mark>,
}

impl Database {
    /// Makes a new database: written aside, closed, put in place, all of it durable on return.
    pub(crate) fn create(vfs: &dyn Vfs, dir: &Path) -> io::Result<()> {
        let path = dir.join(layout::DATABASE);
        let tmp = dir.join(format!("{}{}", layout::DATABASE, layout::TEMPORARY_SUFFIX));
        let backend = Guarded::new(vfs.create_new(&tmp)?, &Latch::new());
        let redb = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)
            .map_err(|e| io_error(&tmp, e))?;
        let database = Self {
            redb,
            path: tmp.clone(),
            growth: LogGrowth::default(),
            mark: None,
        };
        database.write(Commit::TwoPhases, |_, meta| {
            meta.insert(key::FORMAT, &FORMAT.to_le_bytes()[..])?;
            Ok(())
        })?;
        database.close()?;
        vfs.open(&tmp)?.sync_all()?;
        vfs.rename(&tmp, &path)?;
        vfs.sync_dir(dir)?;
        vfs.sync_dir(&parent_of(dir))
    }

    /// Opens and checks everything: every page, every record, and that the log has no hole.
    pub(crate) fn open(
        vfs: &dyn Vfs,
        dir: &Path,
        latch: &Latch,
    ) -> Result<(Self, Held), OpenError> {
        let path = dir.join(layout::DATABASE);
        let corrupt = |what: String| Unreadable::Damaged(what).in_file(dir, &path, None);
        let io = |source| OpenError::NotWritable {
            dir: dir.to_path_buf(),
            source,
        };
        let file = vfs.open(&path).map_err(io)?;
        if file.is_empty().map_err(io)? {
            // redb would make a new database of it.
            return Err(corrupt("it is empty".to_owned()));
        }
        let opened = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(Guarded::new(file, latch));
        if opened.is_err() && is_planted(Bug::DamageTruncates) {
            for file in [layout::DATABASE, layout::JOURNAL] {
                vfs.remove(&dir.join(file)).map_err(io)?;
            }
            Self::create(vfs, dir).map_err(io)?;
            return Self::open(vfs, dir, latch);
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
            other => corrupt(other.to_string()),
        })?;
        let mut database = Self {
            redb,
            path: path.clone(),
            growth: LogGrowth::default(),
            mark: None,
        };
        let checked = verify::database(&database.redb).map_err(|e| match e {
            verify::Failure::Redb(redb::Error::Io(source)) => io(source),
            verify::Failure::Redb(other) => corrupt(other.to_string()),
            verify::Failure::Content(index, what) => what.in_file(dir, &path, index),
        })?;
        (database.growth, database.mark) = (checked.growth, checked.mark);
        if let Some(upto) = checked.leftover {
            database
                .write(Commit::OnePhase, |log, _| {
                    log.retain_in(..=upto, |_, _| false)
                })
                .map_err(io)?;
        }
        Ok((database, checked.held))
    }

    /// The records that the log held when it was opened, with what the journal had.
    pub(crate) fn growth(&self) -> &LogGrowth {
        &self.growth
    }

    /// Which frames of the journal it did not have when it was opened; none before the first journal was made.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// Records of so many bytes more are in its log than when it was opened, which ends with such an index.
    pub(crate) fn grow_by(&mut self, last: Option<u64>, bytes: u64) {
        self.growth.note_opened(last, bytes);
    }

    /// One transaction over both tables, durable on return.
    pub(crate) fn write(
        &self,
        commit: Commit,
        change: impl FnOnce(&mut LogTable<'_>, &mut MetaTable<'_>) -> Result<(), StorageError>,
    ) -> io::Result<()> {
        let run = || -> Result<(), redb::Error> {
            let mut txn = self.redb.begin_write()?;
            txn.set_two_phase_commit(commit == Commit::TwoPhases);
            #[cfg(feature = "planted")]
            if commit == Commit::Unsynced {
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

    /// Reads entries with the size of their records, up to `bytes_max` but at least one.
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

    /// Closes in order, so that the next open finds nothing to repair.
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
