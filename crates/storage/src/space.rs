//! Precautions against a full disk: a minimum of free space (the floor) and a reserve (the ballast
//! file).
//!
//! Below the floor, no proposals are accepted. A purge frees space, but the commit of the purge
//! needs space first. The ballast file is deleted to provide this space.

use super::layout;
use super::vfs::Vfs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Minimum free space, in bytes, below which no new data is accepted. This is enough for a snapshot
/// of 100,000 services.
const FLOOR_BYTES: u64 = 64 << 20;
/// Size of the ballast file: enough for the commits of a purge.
const BALLAST_BYTES: u64 = 16 << 20;
/// Divisor that limits the floor and the ballast to this fraction of the file system, so that a
/// small file system works too.
const PART_OF_FS: u64 = 8;

/// Divisor for the part of the floor that must stay free for the log when a snapshot is written.
/// The part holds a few batches of appends.
const PART_FOR_LOG: u64 = 4;

/// Size of the database beyond the log's records, in bytes.
const OVERHEAD_BYTES: u64 = 1 << 20;

/// The amount of space that is left for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceState {
    /// Free bytes of the file system, plus half of the bytes that a purge freed inside the database
    /// file.
    pub free_bytes: u64,
    /// The free space below which proposals and appends with entries must be rejected.
    pub floor_bytes: u64,
    /// Whether `free_bytes` is below the floor.
    pub below_floor: bool,
}

/// The free space of a data directory, with its floor and its ballast file.
#[derive(Debug)]
pub(crate) struct Space {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    floor_bytes: u64,
    ballast_bytes: u64,
}

impl Space {
    pub(crate) fn new(vfs: Arc<dyn Vfs>, dir: &Path) -> io::Result<Self> {
        let part = vfs.space(dir)?.total_bytes / PART_OF_FS;
        Ok(Self {
            vfs,
            dir: dir.to_path_buf(),
            floor_bytes: FLOOR_BYTES.min(part),
            ballast_bytes: BALLAST_BYTES.min(part),
        })
    }

    /// Returns the state of the space, given the size of the log's records.
    pub(crate) fn state(&self, log_bytes: u64) -> io::Result<SpaceState> {
        // The database file never shrinks, so space that a purge freed stays inside the file. An
        // entry takes up to twice its size, because page sizes are powers of two. Half of the free
        // space inside the file may be unusable for the next entry, because smaller pages fragment
        // this space.
        let file_bytes = self.vfs.allocated_bytes(&self.dir.join(layout::DATABASE))?;
        let reusable_bytes = file_bytes.saturating_sub(2 * log_bytes + OVERHEAD_BYTES) / 2;
        let free_bytes = self
            .vfs
            .space(&self.dir)?
            .free_bytes
            .saturating_add(reusable_bytes);
        Ok(SpaceState {
            free_bytes,
            floor_bytes: self.floor_bytes,
            below_floor: free_bytes < self.floor_bytes,
        })
    }

    /// Returns whether this number of bytes can be written.
    pub(crate) fn has(&self, bytes: u64) -> io::Result<bool> {
        Ok(self.vfs.space(&self.dir)?.free_bytes >= bytes)
    }

    /// Returns whether a new file of `bytes` bytes could be written and the log would still have
    /// room. The ballast counts as free space, because it can be deleted if necessary.
    pub(crate) fn could_take(&self, bytes: u64) -> io::Result<bool> {
        let ballast_bytes = match self.vfs.allocated_bytes(&self.dir.join(layout::BALLAST)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            allocated => allocated?,
        };
        let free_bytes = self.vfs.space(&self.dir)?.free_bytes + ballast_bytes;
        Ok(free_bytes >= bytes.saturating_add(self.floor_bytes / PART_FOR_LOG))
    }

    /// Deletes the ballast if writing `bytes` would leave less free space than the floor.
    pub(crate) fn make_room(&self, bytes: u64) -> io::Result<()> {
        self.make_room_for(self.floor_bytes.saturating_add(bytes))
    }

    /// Deletes the ballast if less than `bytes` is free.
    pub(crate) fn make_room_for(&self, bytes: u64) -> io::Result<()> {
        if self.has(bytes)? {
            return Ok(());
        }
        match self.vfs.remove(&self.dir.join(layout::BALLAST)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Creates the ballast if it does not exist and there is enough space. The ballast need not be
    /// durable, because a lost ballast is created again.
    pub(crate) fn restore_ballast(&self) -> io::Result<()> {
        if self.ballast_bytes == 0 {
            // The file system does not report its size, so there is no ballast.
            return Ok(());
        }
        let path = self.dir.join(layout::BALLAST);
        // The size is checked without opening the file, since an open may wait for a file
        // descriptor.
        match self.vfs.allocated_bytes(&path) {
            Ok(bytes) if bytes >= self.ballast_bytes => return Ok(()),
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        match self.vfs.open(&path) {
            Ok(file) if file.len()? == self.ballast_bytes => return Ok(()),
            Ok(_) => self.vfs.remove(&path)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        if self.vfs.space(&self.dir)?.free_bytes
            < self.floor_bytes.saturating_add(self.ballast_bytes)
        {
            return Ok(());
        }
        match self.vfs.create_new(&path)?.allocate(self.ballast_bytes) {
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                self.vfs.remove(&path)
            }
            other => other,
        }
    }
}
