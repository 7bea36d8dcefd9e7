//! The live side of the simulated file system: the state that the running store sees. Every change
//! is recorded.

use super::event::{DiskChange, DiskImage};
use super::file::SimFile;
use super::state::{Inode, IoFault, SimFs, SimFsState};
use crate::vfs::interface::{FileLock, FsSpace, Vfs, VfsFile, in_context, parent_of};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

#[derive(Debug)]
struct SimLock {
    fs: SimFs,
    path: PathBuf,
}

impl FileLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.fs.state().locks.remove(&self.path);
    }
}

impl SimFs {
    /// Returns an empty file system of this size, which records its changes from the start.
    pub(crate) fn new(capacity_bytes: u64) -> Self {
        let state = SimFsState {
            capacity_bytes,
            changes: Some(Vec::new()),
            ..SimFsState::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Returns the file system that a crash left, in which nothing is pending. It records its
    /// changes only if `is_recorded` is set.
    pub(crate) fn of_image(image: DiskImage, capacity_bytes: u64, is_recorded: bool) -> Self {
        let mut state = SimFsState {
            capacity_bytes,
            changes: is_recorded.then(Vec::new),
            ..SimFsState::default()
        };
        for (path, data) in image {
            state.names.insert(path, state.inodes.len());
            state.inodes.push(Inode::holding(data));
        }
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Returns the file system that the next process sees after a process was killed at the end of
    /// these changes. All changes are visible, and unsynced changes are still pending.
    pub(crate) fn of_changes(changes: &[DiskChange], capacity_bytes: u64) -> Self {
        let changes: Vec<DiskChange> = changes
            .iter()
            .filter(|e| !matches!(e, DiskChange::Began(_) | DiskChange::Acknowledged(_)))
            .cloned()
            .collect();
        let (mut inodes, mut names) = (BTreeMap::new(), BTreeMap::new());
        for event in &changes {
            super::crash::apply(&mut inodes, &mut names, event);
        }
        let made = changes
            .iter()
            .filter(|e| matches!(e, DiskChange::Link { .. }))
            .count();
        let inodes = (0..made)
            .map(|i| Inode::holding(inodes.remove(&i).unwrap_or_default()))
            .collect();
        let state = SimFsState {
            inodes,
            names,
            capacity_bytes,
            changes: Some(changes),
            ..SimFsState::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Makes the n-th operation from now on fail once. Later operations succeed, which is the worst
    /// case, because a retry would seem to work.
    pub(crate) fn fail_operation(&self, n: u64, fault: IoFault) {
        let mut state = self.state();
        state.fault = Some((state.operations + n, fault));
    }

    /// Returns a description of the operation and the path that the fault hit, if the fault has
    /// occurred.
    pub(crate) fn struck(&self) -> Option<String> {
        self.state()
            .struck
            .as_ref()
            .map(|struck| struck.what.clone())
    }

    /// Returns the changes and syncs that were recorded after the fault, if they belong to the file
    /// or directory that the fault hit.
    pub(crate) fn since_struck(&self) -> Vec<DiskChange> {
        let state = self.state();
        let (Some(struck), Some(changes)) = (&state.struck, &state.changes) else {
            return Vec::new();
        };
        let same = |event: &DiskChange| match event {
            DiskChange::Write { inode, .. }
            | DiskChange::SetLen { inode, .. }
            | DiskChange::Sync { inode } => Some(*inode) == struck.inode,
            DiskChange::SyncDir { dir } => *dir == struck.path,
            _ => false,
        };
        let since = changes[struck.at..].iter();
        since.filter(|event| same(event)).cloned().collect()
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    pub(crate) fn set_capacity(&self, capacity_bytes: u64) {
        self.state().capacity_bytes = capacity_bytes;
    }

    pub(crate) fn mark(&self, step: DiskChange) {
        self.state().record(step);
    }

    pub(crate) fn changes(&self) -> Vec<DiskChange> {
        self.state().changes.clone().unwrap_or_default()
    }

    /// Returns the number of recorded changes.
    #[cfg(feature = "sim")]
    pub(super) fn change_count(&self) -> usize {
        self.state().changes.as_ref().map_or(0, Vec::len)
    }

    /// Removes and returns the first `count` recorded changes.
    #[cfg(feature = "sim")]
    pub(super) fn take_changes(&self, count: usize) -> Vec<DiskChange> {
        let mut state = self.state();
        let changes = state.changes.get_or_insert_default();
        let count = count.min(changes.len());
        changes.drain(..count).collect()
    }

    /// Returns the content that the running store sees.
    pub(crate) fn live(&self) -> DiskImage {
        let state = self.state();
        state
            .names
            .iter()
            .map(|(path, inode)| (path.clone(), state.inodes[*inode].data.clone()))
            .collect()
    }
}

fn not_found() -> io::Error {
    io::Error::from(ErrorKind::NotFound)
}

impl Vfs for SimFs {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.operate("create", dir).map(drop).map_err(|(_, e)| e)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let state = self.operate("open", path).map_err(|(_, e)| e)?;
        let inode = *state
            .names
            .get(path)
            .ok_or_else(|| in_context("open", path, &not_found()))?;
        Ok(Box::new(SimFile {
            fs: self.clone(),
            inode,
            path: path.to_path_buf(),
        }))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut state = self.operate("create", path).map_err(|(_, e)| e)?;
        if state.names.contains_key(path) {
            return Err(in_context(
                "create",
                path,
                &io::Error::from(ErrorKind::AlreadyExists),
            ));
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.names.insert(path.to_path_buf(), inode);
        state.record(DiskChange::Link {
            path: path.to_path_buf(),
            inode,
        });
        Ok(Box::new(SimFile {
            fs: self.clone(),
            inode,
            path: path.to_path_buf(),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.operate("rename", from).map_err(|(_, e)| e)?;
        let inode = state
            .names
            .remove(from)
            .ok_or_else(|| in_context("rename", from, &not_found()))?;
        state.names.insert(to.to_path_buf(), inode);
        state.record(DiskChange::Rename {
            from: from.to_path_buf(),
            to: to.to_path_buf(),
            inode,
        });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operate("remove", path).map_err(|(_, e)| e)?;
        state
            .names
            .remove(path)
            .ok_or_else(|| in_context("remove", path, &not_found()))?;
        state.record(DiskChange::Unlink {
            path: path.to_path_buf(),
        });
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.operate("list", dir).map_err(|(_, e)| e)?;
        let inside = state.names.keys().filter(|p| parent_of(p) == dir);
        Ok(inside
            .filter_map(|p| p.file_name())
            .map(|n| n.to_string_lossy().into_owned())
            .collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = dir.to_path_buf();
        match self.operate("sync", &dir) {
            Ok(mut state) => state.record(DiskChange::SyncDir { dir }),
            Err((IoFault::Unsaid, _)) => {}
            Err((_, e)) => return Err(e),
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let mut state = self.operate("lock", path).map_err(|(_, e)| e)?;
        let taken = state.locks.insert(path.to_path_buf());
        Ok(taken.then(|| {
            Box::new(SimLock {
                fs: self.clone(),
                path: path.to_path_buf(),
            }) as Box<dyn FileLock>
        }))
    }

    fn allocated_bytes(&self, path: &Path) -> io::Result<u64> {
        let state = self.operate("read the size of", path).map_err(|(_, e)| e)?;
        let inode = state
            .names
            .get(path)
            .ok_or_else(|| in_context("read the size of", path, &not_found()))?;
        Ok(state.inodes[*inode].allocated())
    }

    fn space(&self, dir: &Path) -> io::Result<FsSpace> {
        let state = self
            .operate("read the free space of", dir)
            .map_err(|(_, e)| e)?;
        let free_bytes = state.capacity_bytes.saturating_sub(state.used());
        Ok(FsSpace {
            free_bytes,
            total_bytes: state.capacity_bytes,
        })
    }
}
