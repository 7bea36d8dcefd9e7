//! A full disk is foreseen: a floor below which no proposals are taken, and a ballast file
//! that is given up so that a purge, which frees space, finds the space to be committed.

use super::layout;
use super::vfs::Vfs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Below this many free bytes nothing new is taken: enough for a snapshot of 100,000 services.
const FLOOR_BYTES: u64 = 64 << 20;
/// Enough for the commits of a purge.
const BALLAST_BYTES: u64 = 16 << 20;
/// Neither takes more than this part of the file system, so that a small one works too.
const PART_OF_FS: u64 = 8;

/// What a snapshot leaves of the floor to the log, as a part of it: a few of its batches.
const PART_FOR_LOG: u64 = 4;

/// What the database takes beside the log's records.
const OVERHEAD_BYTES: u64 = 1 << 20;

/// How much space is left for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceState {
    /// Free bytes of the file system, and half of those inside the log's own file that a purge freed.
    pub free_bytes: u64,
    /// Below this, proposals and appends with entries are to be refused.
    pub floor_bytes: u64,
    /// Whether `free_bytes` is below the floor.
    pub below_floor: bool,
}

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

    /// The state, given the size of the log's records.
    pub(crate) fn state(&self, log_bytes: u64) -> io::Result<SpaceState> {
        // The file does not shrink: what a purge freed is inside it. An entry takes up to twice
        // its size, since pages come in powers of two; and of what is free as much again may be
        // too small for the next one, since smaller pages lie between.
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

    /// Whether so many bytes can be written.
    pub(crate) fn has(&self, bytes: u64) -> io::Result<bool> {
        Ok(self.vfs.space(&self.dir)?.free_bytes >= bytes)
    }

    /// Whether a file of `bytes` could be written beside all others, with the ballast given up for
    /// it if need be, and the log still have room.
    pub(crate) fn could_take(&self, bytes: u64) -> io::Result<bool> {
        let ballast_bytes = match self.vfs.allocated_bytes(&self.dir.join(layout::BALLAST)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            allocated => allocated?,
        };
        let free_bytes = self.vfs.space(&self.dir)?.free_bytes + ballast_bytes;
        Ok(free_bytes >= bytes.saturating_add(self.floor_bytes / PART_FOR_LOG))
    }

    /// Gives the ballast up if writing `bytes` would go below the floor.
    pub(crate) fn make_room(&self, bytes: u64) -> io::Result<()> {
        self.make_room_for(self.floor_bytes.saturating_add(bytes))
    }

    /// Gives the ballast up if less is free.
    pub(crate) fn make_room_for(&self, bytes: u64) -> io::Result<()> {
        if self.has(bytes)? {
            return Ok(());
        }
        match self.vfs.remove(&self.dir.join(layout::BALLAST)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Makes the ballast if there is none and space enough. It need not be durable: a lost
    /// one is made again.
    pub(crate) fn restore_ballast(&self) -> io::Result<()> {
        if self.ballast_bytes == 0 {
            // A file system that does not say its size.
            return Ok(());
        }
        let path = self.dir.join(layout::BALLAST);
        // Without opening it, for which a descriptor may have to be waited for.
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
