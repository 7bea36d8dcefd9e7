//! The state of a simulated file system, including the faults that tests inject.

use super::content::FileContent;
use super::event::DiskChange;
use crate::vfs::interface::in_context;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The way in which an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IoFault {
    /// An I/O error; nothing is written.
    Io,
    /// No space; nothing is written.
    Full,
    /// No space; half of the data is written.
    Short,
    /// A sync that does nothing and reports success, which no real disk is allowed to do. Tests use
    /// it to check that a missing sync is detected at all.
    Unsaid,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Inode {
    pub(super) data: FileContent,
    /// Space that is allocated without content, so that the ballast costs no memory here.
    pub(super) reserved: u64,
}

impl Inode {
    pub(super) fn holding(data: FileContent) -> Self {
        Self { data, reserved: 0 }
    }

    pub(super) fn allocated(&self) -> u64 {
        self.data.allocated() + self.reserved
    }
}

#[derive(Debug, Default)]
pub(super) struct SimFsState {
    pub(super) inodes: Vec<Inode>,
    pub(super) names: BTreeMap<PathBuf, usize>,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) changes: Option<Vec<DiskChange>>,
    pub(super) capacity_bytes: u64,
    pub(super) operations: u64,
    pub(super) fault: Option<(u64, IoFault)>,
    pub(super) struck: Option<Struck>,
}

/// The operation and the file that a fault hit.
#[derive(Debug, Clone)]
pub(super) struct Struck {
    pub(super) what: String,
    pub(super) path: PathBuf,
    pub(super) inode: Option<usize>,
    /// The number of changes that were recorded when the fault hit.
    pub(super) at: usize,
}

/// An in-memory file system. Clones share their state.
#[derive(Debug, Clone)]
pub(crate) struct SimFs {
    pub(super) state: Arc<Mutex<SimFsState>>,
}

impl SimFs {
    pub(super) fn state(&self) -> MutexGuard<'_, SimFsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation, and makes it fail if a fault is due.
    pub(super) fn operate(
        &self,
        operation: &str,
        path: &Path,
    ) -> Result<MutexGuard<'_, SimFsState>, (IoFault, io::Error)> {
        let mut state = self.state();
        state.operations += 1;
        match state.fault {
            Some((n, IoFault::Unsaid)) if n == state.operations && operation != "sync" => Ok(state),
            Some((n, fault)) if n == state.operations => {
                state.fault = None;
                state.struck = Some(Struck {
                    what: format!("{operation} {}", path.display()),
                    path: path.to_path_buf(),
                    inode: state.names.get(path).copied(),
                    at: state.changes.as_ref().map_or(0, Vec::len),
                });
                Err((fault, in_context(operation, path, &os_error(fault))))
            }
            _ => Ok(state),
        }
    }
}

pub(super) fn os_error(fault: IoFault) -> io::Error {
    io::Error::from_raw_os_error(match fault {
        IoFault::Io | IoFault::Unsaid => 5,
        IoFault::Full | IoFault::Short => 28,
    })
}

impl SimFsState {
    /// Records a change, if changes are recorded.
    pub(super) fn record(&mut self, event: DiskChange) {
        if let Some(changes) = &mut self.changes {
            changes.push(event);
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.names
            .values()
            .map(|i| self.inodes[*i].allocated())
            .sum()
    }

    /// Returns whether there is space for a write.
    pub(super) fn has_room(&self, inode: usize, offset: u64, len: u64) -> bool {
        let missing = self.inodes[inode].data.missing(offset, len);
        missing == 0 || self.used() + missing <= self.capacity_bytes
    }
}
