//! The redb database of a data directory: opened, checked, read and written.

use super::backend::Backend;
use super::errors::{OpenError, Unreadable};
use super::identity::Identity;
use super::record;
use super::vfs::{Vfs, parent_of};
use super::view::next_index;
use crate::raft::types::{Entry, LogId, Vote};
use redb::{Builder, DatabaseError, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The database's file.
pub(super) const FILE: &str = "raft.redb";
/// redb's default is 1 GiB; the tail of the log is in memory already, so pages need little.
const CACHE_BYTES: usize = 4 << 20;
/// The format of the database as a whole: its tables and keys.
const FORMAT: u32 = 1;

/// Log index to record.
const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
/// Name to record.
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// The log's table, open for writing.
pub(super) type LogTable<'a> = Table<'a, u64, &'static [u8]>;
/// The table of single values, open for writing.
pub(super) type MetaTable<'a> = Table<'a, &'static str, &'static [u8]>;

/// The names in the table of single values.
pub(super) mod key {
    pub(crate) const FORMAT: &str = "format";
    pub(crate) const IDENTITY: &str = "identity";
    pub(crate) const VOTE: &str = "vote";
    pub(crate) const COMMITTED: &str = "committed";
    pub(crate) const PURGED: &str = "purged";
    pub(crate) const LAST: &str = "last";
}

/// What a database held when it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) identity: Option<Identity>,
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
}

#[derive(Debug)]
pub(super) struct Database {
    redb: redb::Database,
    path: PathBuf,
}

impl Database {
    /// Makes a new database: written aside, closed, put in place, all of it durable on return.
    pub(super) fn create(vfs: &dyn Vfs, dir: &Path) -> io::Result<()> {
        let path = dir.join(FILE);
        let tmp = dir.join(format!("{FILE}.tmp"));
        let redb = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(Backend(vfs.create_new(&tmp)?))
            .map_err(|e| io_error(&tmp, e))?;
        let database = Self {
            redb,
            path: tmp.clone(),
        };
        database.write(true, |_, meta| {
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
    pub(super) fn open(vfs: &dyn Vfs, dir: &Path) -> Result<(Self, Held), OpenError> {
        let path = dir.join(FILE);
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
            .create_with_backend(Backend(file));
        let redb = opened.map_err(|e| match e {
            DatabaseError::Storage(StorageError::Io(e))
                if !matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                io(e)
            }
            other => corrupt(other.to_string()),
        })?;
        let database = Self {
            redb,
            path: path.clone(),
        };
        let held = database.check(dir)?;
        Ok((database, held))
    }

    fn check(&self, dir: &Path) -> Result<Held, OpenError> {
        let at = |index| move |what: Unreadable| what.in_file(dir, &self.path, index);
        let read = |e: redb::Error| match e {
            redb::Error::Io(source) => OpenError::NotWritable {
                dir: dir.to_path_buf(),
                source,
            },
            other => at(None)(Unreadable::damaged(other.to_string())),
        };
        let held = self.check_meta().map_err(read)?.map_err(at(None))?;
        let (stale, checked) = self.check_log(&held).map_err(read)?;
        checked.map_err(|(index, what)| at(Some(index))(what))?;
        if let Some(upto) = stale {
            // What a purge left when it was cut off.
            self.write(false, |log, _| log.retain_in(..=upto, |_, _| false))
                .map_err(|source| OpenError::NotWritable {
                    dir: dir.to_path_buf(),
                    source,
                })?;
        }
        Ok(held)
    }

    fn check_meta(&self) -> Result<Result<Held, Unreadable>, redb::Error> {
        let txn = self.redb.begin_read()?;
        let meta = match txn.open_table(META) {
            Err(redb::TableError::TableDoesNotExist(_)) => {
                return Ok(Err(Unreadable::damaged("it has no format")));
            }
            other => other?,
        };
        let get = |name| -> Result<Option<Vec<u8>>, redb::Error> { Ok(meta.get(name)?.map(|v| v.value().to_vec())) };
        let format = get(key::FORMAT)?;
        let (identity, vote, committed) = (get(key::IDENTITY)?, get(key::VOTE)?, get(key::COMMITTED)?);
        let (purged, last) = (get(key::PURGED)?, get(key::LAST)?);
        let decode = || -> Result<Held, Unreadable> {
            let format = format
                .as_deref()
                .and_then(|f| <[u8; 4]>::try_from(f).ok())
                .map(u32::from_le_bytes);
            let found = format.ok_or_else(|| Unreadable::damaged("it has no format"))?;
            if found != FORMAT {
                return Err(Unreadable::Newer { found, known: FORMAT });
            }
            let log_id = |bytes: Option<Vec<u8>>| bytes.as_deref().map(record::decode_log_id).transpose();
            Ok(Held {
                identity: identity.as_deref().map(record::decode).transpose()?,
                vote: vote.as_deref().map(record::decode_vote).transpose()?,
                committed: log_id(committed)?,
                purged: log_id(purged)?,
                last: log_id(last)?,
            })
        };
        Ok(decode().and_then(Held::check))
    }

    /// Checks every entry. Also gives the last index of entries that a purge left behind.
    #[expect(
        clippy::type_complexity,
        reason = "two kinds of failure: of the reading and of what was read"
    )]
    fn check_log(&self, held: &Held) -> Result<(Option<u64>, Result<(), (u64, Unreadable)>), redb::Error> {
        let first = next_index(held.purged);
        let mut next = first;
        let mut stale = None;
        for item in self.redb.begin_read()?.open_table(LOG)?.iter()? {
            let (index, bytes) = item?;
            let index = index.value();
            if index < first {
                stale = Some(index);
                continue;
            }
            if index != next {
                return Ok((stale, Err((next, Unreadable::damaged("the entry is missing")))));
            }
            match record::decode_entry(index, bytes.value()) {
                Err(what) => return Ok((stale, Err((index, what)))),
                Ok(entry) if Some(index) == held.last.map(|l| l.index) && Some(entry.log_id) != held.last => {
                    return Ok((
                        stale,
                        Err((index, Unreadable::damaged("the last entry is not the one noted"))),
                    ));
                }
                Ok(_) => next += 1,
            }
        }
        if next != next_index(held.last).max(first) {
            let what = format!("the log ends before {next}, not at {:?}", held.last.map(|l| l.index));
            return Ok((stale, Err((next, Unreadable::damaged(what)))));
        }
        Ok((stale, Ok(())))
    }

    /// One transaction over both tables, durable on return. With `two_phase` the commit is
    /// told from a torn one for certain, at the price of a second sync.
    pub(super) fn write(
        &self,
        two_phase: bool,
        change: impl FnOnce(&mut LogTable<'_>, &mut MetaTable<'_>) -> Result<(), StorageError>,
    ) -> io::Result<()> {
        let run = || -> Result<(), redb::Error> {
            let mut txn = self.redb.begin_write()?;
            txn.set_two_phase_commit(two_phase);
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
    pub(super) fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<(Entry, usize)>> {
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
            .map(|(index, record)| match record::decode_entry(index, &record) {
                Ok(entry) => Ok((entry, record.len())),
                Err(what) => Err(damaged(index, what)),
            })
            .collect()
    }

    /// Closes in order, so that the next open finds nothing to repair.
    pub(super) fn close(self) -> io::Result<()> {
        self.redb.close().map_err(|e| io_error(&self.path, e))
    }
}

impl Held {
    fn check(self) -> Result<Self, Unreadable> {
        let term = |id: Option<LogId>| id.map_or(0, |id| id.leader_id.term);
        if self.vote.map_or(0, |v| v.leader_id.term) < term(self.last) {
            return Err(Unreadable::damaged(format!(
                "the vote is older than the log's last term, {}",
                term(self.last)
            )));
        }
        if self.last < self.purged || next_index(self.last) < next_index(self.committed) {
            return Err(Unreadable::damaged("the log ends before what was purged or committed"));
        }
        Ok(self)
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
