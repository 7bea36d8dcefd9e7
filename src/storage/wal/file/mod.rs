//! The journal: what was appended last, until it is brought into the database.
//!
//! A commit of redb writes some nine pages and takes half a millisecond of processor time; a frame of the journal is one write over
//! blocks that the file has already. So appends go into the journal, one frame and one sync for each batch, and are brought into the
//! database together: when the journal is full, when anything else is written, and when nothing is for a while.
//!
//! - A frame begins a block and shares none, so that a torn write harms no other.
//! - A frame is written once the one before is durable. A frame that is damaged and has another after it was therefore durable, and
//!   the directory is refused; the last one cannot be told from a torn write, and is as if it had never been written.
//! - The frames of a generation lie one after the other from the start. The transaction that brings them into the database notes the
//!   next generation there, so each frame counts either as in the journal or as in the database.
//! - That transaction has two phases: what it took over is written over next, and it must not be taken for torn and rolled back.

use crate::storage::db::schema::Mark;
use crate::storage::error::{OpenError, Unreadable};
use crate::storage::fail_stop::Latch;
use crate::storage::layout;
use crate::storage::types::LogId;
use crate::storage::vfs::Vfs;
use crate::storage::vfs::fail_stop_file::Guarded;
use crate::storage::wal::frame::{self, BLOCK_BYTES, Frame, Header};
use redb::StorageBackend;
use std::cmp::Ordering;
use std::io;
use std::path::Path;

/// So much waits to be brought into the database, which then takes some milliseconds. A batch that is larger goes there at once.
pub(crate) const LENGTH_BYTES: u64 = if cfg!(test) { 64 << 10 } else { 1 << 20 };

/// It is made by pieces of this length: what comes at once the page cache keeps as one, and looks over all of it at each write into it.
const PIECE_BYTES: usize = 64 << 10;

/// What the frames of a whole journal take in the database at most: pages come in powers of two.
pub(crate) const ROOM_IN_DATABASE_BYTES: u64 = 2 * LENGTH_BYTES;

/// The journal of a data directory, open for writing.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Guarded,
    mark: Mark,
    /// Frames of this generation.
    frames: u32,
    /// Where the next one begins.
    end: u64,
    /// When it was opened a torn frame was where the next one begins. It must not be read whole some other day, after others.
    is_torn: bool,
}

impl Journal {
    /// Makes an empty journal, in the place of one that no database speaks of; durable on return.
    pub(crate) fn create(vfs: &dyn Vfs, dir: &Path) -> io::Result<()> {
        let path = dir.join(layout::JOURNAL);
        let tmp = dir.join(format!("{}{}", layout::JOURNAL, layout::TEMPORARY_SUFFIX));
        let file = vfs.create_new(&tmp)?;
        // Written and not only allocated: to write into space that never was is two writes.
        for at in (0..LENGTH_BYTES).step_by(PIECE_BYTES) {
            file.write_at(at, &[0; PIECE_BYTES])?;
        }
        file.sync_all()?;
        vfs.rename(&tmp, &path)?;
        vfs.sync_dir(dir)
    }

    /// Whether anything was ever written to the journal of a directory; none when there is no journal.
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

    /// Opens the journal of a directory, and gives the frames that its database does not have.
    pub(crate) fn open(
        vfs: &dyn Vfs,
        dir: &Path,
        latch: &Latch,
        mark: Mark,
    ) -> Result<(Journal, Vec<Frame>), OpenError> {
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
        if file.len().map_err(unusable)? != mark.length_bytes {
            return Err(damaged("it has not the length that it was made with"));
        }
        let mut bytes = vec![0; mark.length_bytes as usize];
        file.read_at(0, &mut bytes).map_err(unusable)?;
        let read = read_frames(&bytes, mark);
        let (frames, end) = read.map_err(|what| what.in_file(dir, &path, None))?;
        let follows = what_follows(&bytes, end, mark, frames.len());
        match follows {
            Follows::Nothing | Follows::Torn => {}
            Follows::Frames => {
                return Err(damaged("a frame is damaged, and others follow it"));
            }
            Follows::Generation => {
                let what = format!(
                    "it is older than {} beside it, as if it had gone back",
                    layout::JOURNAL
                );
                let database = dir.join(layout::DATABASE);
                return Err(Unreadable::damaged(what).in_file(dir, &database, None));
            }
        }
        let journal = Journal {
            file: Guarded::new(file, latch),
            mark,
            frames: frames.len() as u32,
            end: end as u64,
            is_torn: follows == Follows::Torn,
        };
        Ok((journal, frames))
    }

    /// Whether a frame of so many records and bytes still has room.
    pub(crate) fn has_room(&self, records: usize, bytes: usize) -> bool {
        self.end + frame::bytes_at_most(records, bytes) <= self.mark.length_bytes
    }

    /// Writes a frame; durable on return, but for an error that is planted.
    ///
    /// # Errors
    /// The system's. What is written then is not known, and nothing more may be.
    pub(crate) fn append<'a>(
        &mut self,
        committed: Option<LogId>,
        records: impl Iterator<Item = &'a (u64, Vec<u8>)> + Clone,
        is_synced: bool,
    ) -> io::Result<()> {
        let bytes = frame::encode(self.mark, self.frames, committed, records)?;
        debug_assert!(self.end + bytes.len() as u64 <= self.mark.length_bytes);
        self.file.write(self.end, &bytes)?;
        if is_synced {
            self.file.sync_data()?;
        }
        self.frames += 1;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// What the database must note in the transaction that takes the frames over; none when there are none, not even a torn one.
    pub(crate) fn next_mark(&self) -> Option<Mark> {
        (self.frames > 0 || self.is_torn).then_some(Mark {
            generation: self.mark.generation + 1,
            ..self.mark
        })
    }

    /// The database has taken the frames over and noted the mark: the next frame is written over the first.
    pub(crate) fn start_over(&mut self, mark: Mark) {
        self.mark = mark;
        self.frames = 0;
        self.end = 0;
        self.is_torn = false;
    }
}

/// The frames of a generation, and where the first block after them begins.
fn read_frames(bytes: &[u8], mark: Mark) -> Result<(Vec<Frame>, usize), Unreadable> {
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some((frame, taken)) = frame::decode(
        bytes.get(at..).unwrap_or_default(),
        mark,
        frames.len() as u32,
    )? {
        frames.push(frame);
        at += taken;
    }
    Ok((frames, at))
}

/// What comes after the frames that were read, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Follows {
    /// Frames of generations before.
    Nothing,
    /// The frame that is next, and is not whole.
    Torn,
    /// A frame that was written after one that cannot be read.
    Frames,
    /// A generation that the database does not know.
    Generation,
}

fn what_follows(bytes: &[u8], end: usize, mark: Mark, frames: usize) -> Follows {
    let blocks = bytes.chunks(BLOCK_BYTES).skip(end / BLOCK_BYTES);
    let headers = blocks.filter_map(|block| Header::read(block, mark.salt));
    let follows = headers.map(|header| match header.generation.cmp(&mark.generation) {
        Ordering::Greater => Follows::Generation,
        Ordering::Equal if header.sequence as usize == frames => Follows::Torn,
        Ordering::Equal => Follows::Frames,
        Ordering::Less => Follows::Nothing,
    });
    follows.max().unwrap_or(Follows::Nothing)
}

#[cfg(test)]
mod tests;
