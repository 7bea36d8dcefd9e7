//! The write-ahead log (WAL) file. Log entries are written to the WAL first, and moved to the
//! database later.
//!
//! A redb commit writes about nine pages and takes half a millisecond of CPU time. In contrast, a
//! WAL frame is a single write to blocks that are already allocated. Appends are therefore written
//! to the WAL, with one frame and one fdatasync for each batch. The frames are moved to the
//! database together when the WAL is full, when anything other than an append is written, or when
//! nothing was written for a while.
//!
//! - A frame starts at a block boundary and shares no block with another frame, so that a torn
//!   write damages no other frame.
//! - A frame is written only after the previous frame is durable. A damaged frame that is followed
//!   by another frame was therefore durable, and the directory is rejected. A damaged last frame
//!   cannot be distinguished from a torn write, and is treated as if it had never been written.
//! - The frames between two moves to the database are one generation. The frames of a generation
//!   are contiguous from the start of the file. The transaction that moves the frames to the
//!   database also stores the number of the next generation there. A frame therefore counts as part
//!   of the WAL or as part of the database, never as part of both.
//! - The transaction that moves the frames uses a two-phase commit. The frames are overwritten
//!   after the commit, so the commit must not be mistaken for a torn one and rolled back.

use crate::db::schema::WalEpoch;
use crate::error::{OpenError, Unreadable};
use crate::fail_stop::FailStop;
use crate::layout;
use crate::types::LogId;
use crate::vfs::Vfs;
use crate::vfs::fail_stop_file::FailStopFile;
use crate::wal::frame::{self, BLOCK_BYTES, FrameHeader, WalFrame};
use redb::StorageBackend;
use std::cmp::Ordering;
use std::io;
use std::path::Path;

/// Length of the WAL file in bytes.
///
/// The length is also the maximum amount of data that is moved to the database at once. The move
/// takes some milliseconds. A batch that does not fit is written directly to the database.
pub(crate) const LENGTH_BYTES: u64 = if cfg!(test) { 64 << 10 } else { 1 << 20 };

/// Size of the writes that fill a new file. The page cache would keep the data of one large write
/// as a single unit, and go through the whole unit on every later write into it. The size is
/// therefore small.
const READ_BYTES: usize = 64 << 10;

/// Maximum space that the frames of a full WAL take in the database. Frames take up to twice their
/// size there, because page sizes are powers of two.
pub(crate) const DATABASE_RESERVE_BYTES: u64 = 2 * LENGTH_BYTES;

/// The WAL of a data directory, open for writing.
#[derive(Debug)]
pub(crate) struct Wal {
    file: FailStopFile,
    epoch: WalEpoch,
    /// Number of frames of the current generation, which began after the last move to the database.
    frames: u32,
    /// The offset of the next frame.
    end: u64,
    /// Whether a torn frame was at the offset of the next frame when the file was opened. In this
    /// case the next generation (the frames after the next move to the database) must begin before
    /// a frame is written. Otherwise the torn frame might be read as the successor of newly written
    /// frames.
    is_torn: bool,
}

impl Wal {
    /// Creates an empty WAL, which is durable on return. A WAL file that no database refers to may
    /// exist, and is replaced.
    pub(crate) fn create(vfs: &dyn Vfs, dir: &Path) -> io::Result<()> {
        let path = dir.join(layout::JOURNAL);
        let tmp = dir.join(format!("{}{}", layout::JOURNAL, layout::TEMPORARY_SUFFIX));
        let file = vfs.create_new(&tmp)?;
        // The space is written and not only allocated, because the first write to space that was
        // never written costs two writes.
        for at in (0..LENGTH_BYTES).step_by(READ_BYTES) {
            file.write_at(at, &[0; READ_BYTES])?;
        }
        file.sync_all()?;
        vfs.rename(&tmp, &path)?;
        vfs.sync_dir(dir)
    }

    /// Returns whether anything was ever written to the WAL of a directory; `None` when there
    /// is no WAL.
    pub(crate) fn is_used(vfs: &dyn Vfs, dir: &Path) -> io::Result<Option<bool>> {
        let file = match vfs.open(&dir.join(layout::JOURNAL)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let length_bytes = file.len()?;
        let mut bytes = vec![0; length_bytes.min(LENGTH_BYTES) as usize];
        file.read_at(0, &mut bytes)?;
        let is_used = length_bytes != LENGTH_BYTES || bytes.iter().any(|byte| *byte != 0);
        Ok(Some(is_used))
    }

    /// Opens the WAL of a directory. Also returns the frames that the database of the directory
    /// does not have.
    pub(crate) fn open(
        vfs: &dyn Vfs,
        dir: &Path,
        fail_stop: &FailStop,
        epoch: WalEpoch,
    ) -> Result<(Wal, Vec<WalFrame>), OpenError> {
        let path = dir.join(layout::JOURNAL);
        let damaged = |what: &str| Unreadable::damaged(what).in_file(dir, &path, None);
        let unusable = |source| OpenError::NotWritable {
            dir: dir.to_path_buf(),
            source,
        };
        let file = vfs.open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged("it is missing"),
            _ => unusable(error),
        })?;
        if file.len().map_err(unusable)? != epoch.length_bytes {
            return Err(damaged(
                "its length differs from the one that it was created with",
            ));
        }
        let mut bytes = vec![0; epoch.length_bytes as usize];
        file.read_at(0, &mut bytes).map_err(unusable)?;
        let read = read_frames(&bytes, epoch);
        let (frames, end) = read.map_err(|what| what.in_file(dir, &path, None))?;
        let tail = tail_state(&bytes, end, epoch, frames.len());
        match tail {
            TailState::Nothing | TailState::Torn => {}
            TailState::Frames => {
                return Err(damaged("a frame is damaged, but intact frames follow it"));
            }
            TailState::Generation => {
                let what = format!(
                    "it is older than {}, as if it had been restored from a copy",
                    layout::JOURNAL
                );
                let database = dir.join(layout::DATABASE);
                return Err(Unreadable::damaged(what).in_file(dir, &database, None));
            }
        }
        let wal = Wal {
            file: FailStopFile::new(file, fail_stop),
            epoch,
            frames: frames.len() as u32,
            end: end as u64,
            is_torn: tail == TailState::Torn,
        };
        Ok((wal, frames))
    }

    /// Returns whether there is room for a frame with this number of records and bytes.
    pub(crate) fn has_room(&self, records: usize, bytes: usize) -> bool {
        self.end + frame::bytes_at_most(records, bytes) <= self.epoch.length_bytes
    }

    /// Writes a frame and syncs the file (fdatasync), so that the frame is durable on return. Only
    /// an injected bug sets `is_synced` to false, which skips the sync.
    ///
    /// # Errors
    /// Returns the system's error. After an error it is unknown which bytes were written, and
    /// nothing more may be written.
    pub(crate) fn append<'a>(
        &mut self,
        committed: Option<LogId>,
        records: impl Iterator<Item = &'a (u64, Vec<u8>)> + Clone,
        is_synced: bool,
    ) -> io::Result<()> {
        let bytes = frame::encode(self.epoch, self.frames, committed, records)?;
        debug_assert!(self.end + bytes.len() as u64 <= self.epoch.length_bytes);
        self.file.write(self.end, &bytes)?;
        if is_synced {
            self.file.sync_data()?;
        }
        self.frames += 1;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Returns the epoch to store in the transaction that moves the frames to the database. Returns
    /// `None` if there is no frame, not even a torn one.
    pub(crate) fn next_epoch(&self) -> Option<WalEpoch> {
        (self.frames > 0 || self.is_torn).then_some(WalEpoch {
            generation: self.epoch.generation + 1,
            ..self.epoch
        })
    }

    /// Starts the next generation, after the database has taken over the frames and stored the
    /// epoch. The next frame overwrites the first frame of the file.
    pub(crate) fn start_over(&mut self, epoch: WalEpoch) {
        self.epoch = epoch;
        self.frames = 0;
        self.end = 0;
        self.is_torn = false;
    }
}

/// Reads the frames of a generation. Also returns the offset of the first block after them.
fn read_frames(bytes: &[u8], epoch: WalEpoch) -> Result<(Vec<WalFrame>, usize), Unreadable> {
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some((frame, taken)) = frame::decode(
        bytes.get(at..).unwrap_or_default(),
        epoch,
        frames.len() as u32,
    )? {
        frames.push(frame);
        at += taken;
    }
    Ok((frames, at))
}

/// The content of the file after the frames that were read, ordered from harmless to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TailState {
    /// No frame, or only frames of earlier generations.
    Nothing,
    /// An incomplete frame with the next sequence number, from a torn write.
    Torn,
    /// A frame that was written after an unreadable frame.
    Frames,
    /// A frame of a later generation, which the database does not know.
    Generation,
}

/// Classifies the content of the file after the frames that were read.
fn tail_state(bytes: &[u8], end: usize, epoch: WalEpoch, frames: usize) -> TailState {
    let blocks = bytes.chunks(BLOCK_BYTES).skip(end / BLOCK_BYTES);
    let headers = blocks.filter_map(|block| FrameHeader::read(block, epoch.salt));
    let states = headers.map(|header| match header.generation.cmp(&epoch.generation) {
        Ordering::Greater => TailState::Generation,
        Ordering::Equal if header.sequence as usize == frames => TailState::Torn,
        Ordering::Equal => TailState::Frames,
        Ordering::Less => TailState::Nothing,
    });
    states.max().unwrap_or(TailState::Nothing)
}

#[cfg(test)]
mod tests;
