//! The snapshots of a data directory.

use super::file::{LoadError, check_body, check_snapshot_meta, read_file, write_file};
use crate::blocking::BlockingExecutor;
use crate::error::Unreadable;
use crate::fail_stop::FailStop;
use crate::layout::{SNAPSHOT_PREFIX, SNAPSHOT_SUFFIX, TEMPORARY_SUFFIX};
use crate::space::Space;
use crate::types::{LogId, SnapshotMeta};
use crate::vfs::Vfs;
use quorate_planted::{Bug, is_planted};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The snapshots of a data directory. Only the newest snapshot is used. Older snapshots are removed
/// once the newest is durable.
///
/// Methods that access the disk are blocking, and must be called where blocking is allowed.
#[derive(Debug, Clone)]
pub struct Snapshots {
    inner: Arc<DirectoryState>,
}

#[derive(Debug)]
struct DirectoryState {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    fail_stop: FailStop,
    space: Arc<Space>,
    executor: BlockingExecutor,
    /// The lock that serializes saves. Two concurrent saves of the same index would write to the
    /// same temporary file.
    saving: Mutex<()>,
}

impl Snapshots {
    pub(crate) fn new(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        fail_stop: FailStop,
        space: Arc<Space>,
        executor: BlockingExecutor,
    ) -> Self {
        let inner = DirectoryState {
            vfs,
            dir: dir.to_path_buf(),
            fail_stop,
            space,
            executor,
            saving: Mutex::new(()),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Returns the executor on which the methods that access the disk must be called.
    pub fn work(&self) -> &BlockingExecutor {
        &self.inner.executor
    }

    /// Writes a snapshot, and removes older snapshots. The new snapshot is durable on return.
    ///
    /// # Errors
    /// - Returns an error if a reader would reject the file. In this case nothing is written.
    /// - Returns an error if a write or an fsync failed. In this case the failure is recorded, and
    ///   the process must stop.
    pub fn save(&self, meta: &SnapshotMeta, body: &[u8]) -> io::Result<()> {
        self.save_with(meta, body.len() as u64, |out| out.write_all(body))
    }

    /// Writes a snapshot like [`Snapshots::save`], with a body of `body_bytes` bytes that
    /// `write_body` writes piece by piece.
    ///
    /// # Errors
    /// Returns the errors of [`Snapshots::save`] and of `write_body`.
    pub fn save_with(
        &self,
        meta: &SnapshotMeta,
        body_bytes: u64,
        write_body: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let encoded = check_snapshot_meta(meta)?;
        check_body(body_bytes)?;
        let _one_at_a_time = self
            .inner
            .saving
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.inner.fail_stop.check()?;
        self.inner
            .fail_stop
            .watch(self.write(meta, &encoded, body_bytes, write_body))
    }

    /// Reads the newest snapshot.
    ///
    /// # Errors
    /// Returns an error if the snapshot cannot be read or cannot be trusted. The error names the
    /// file and the block. The error is also recorded as the failure that stops the process.
    pub fn load(&self) -> io::Result<Option<(SnapshotMeta, Vec<u8>)>> {
        self.inner.fail_stop.check()?;
        self.inner
            .fail_stop
            .watch(self.read_newest().map_err(io::Error::from))
    }

    /// Returns whether the disk has room for a snapshot of this many bytes. Blocks briefly, since
    /// it queries the file system.
    ///
    /// # Errors
    /// Returns the system's error.
    pub fn have_room(&self, body_bytes: u64) -> io::Result<bool> {
        self.inner.space.could_take(body_bytes)
    }

    /// Returns the size of the newest snapshot on disk, or 0 without a snapshot. Blocks briefly.
    ///
    /// # Errors
    /// Returns the system's error.
    pub fn newest_bytes(&self) -> io::Result<u64> {
        match self.names()?.pop() {
            None => Ok(0),
            Some(name) => self.inner.vfs.allocated_bytes(&self.inner.dir.join(name)),
        }
    }

    /// Writes a snapshot to a temporary file, syncs it, renames it into place, and removes older
    /// snapshots.
    fn write(
        &self,
        meta: &SnapshotMeta,
        encoded: &[u8],
        body_bytes: u64,
        write_body: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let DirectoryState {
            vfs, dir, space, ..
        } = &*self.inner;
        let name = file_name(meta.last_log_id);
        let tmp = dir.join(format!("{name}{TEMPORARY_SUFFIX}"));
        space.make_room(body_bytes)?;
        match vfs.remove(&tmp) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let file = vfs.create_new(&tmp)?;
        write_file(&*file, encoded, body_bytes, write_body)?;
        file.sync_all()?;
        drop(file);
        vfs.rename(&tmp, &dir.join(&name))?;
        if !is_planted(Bug::NameUnsynced) {
            vfs.sync_dir(dir)?;
        }
        for older in self.names()?.into_iter().filter(|n| *n < name) {
            vfs.remove(&dir.join(older))?;
        }
        if is_planted(Bug::NameUnsynced) {
            return Ok(());
        }
        vfs.sync_dir(dir)
    }

    /// Returns the names of the snapshot files, oldest first. The order of the names is the order
    /// of the indexes, because each name contains a zero-padded index.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = self.inner.vfs.list(&self.inner.dir)?;
        names.retain(|n| n.starts_with(SNAPSHOT_PREFIX) && n.ends_with(SNAPSHOT_SUFFIX));
        Ok(names)
    }

    /// Removes every snapshot. The removal is durable on return.
    pub(crate) fn remove_all(&self) -> io::Result<()> {
        for name in self.names()? {
            self.inner.vfs.remove(&self.inner.dir.join(name))?;
        }
        self.inner.vfs.sync_dir(&self.inner.dir)
    }

    /// Reads the newest snapshot, and checks its content and the name of its file.
    pub(crate) fn read_newest(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, LoadError> {
        let Some(name) = self.names()?.pop() else {
            return Ok(None);
        };
        let path = self.inner.dir.join(&name);
        let file = self.inner.vfs.open(&path)?;
        let (meta, body) = read_file(&*file).map_err(|e| match e {
            LoadError::Unreadable(_, what) => LoadError::Unreadable(path.clone(), what),
            LoadError::Io(e) => LoadError::Io(e),
        })?;
        if file_name(meta.last_log_id) != name {
            let what = format!("it contains the snapshot {}", file_name(meta.last_log_id));
            return Err(LoadError::Unreadable(path, Unreadable::damaged(what)));
        }
        Ok(Some((meta, body)))
    }
}

fn file_name(last: Option<LogId>) -> String {
    let (index, term) = last.map_or((0, 0), |id| (id.index, id.leader_id.term));
    format!("{SNAPSHOT_PREFIX}{index:020}-{term:020}{SNAPSHOT_SUFFIX}")
}
