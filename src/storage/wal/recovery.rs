//! Recovery of the journal when a directory is opened: it is created if it does not exist, and its
//! frames are moved to the database.

use super::file::{self, Journal};
use super::frame::Frame;
use crate::storage::db::database::{Commit, Database};
use crate::storage::db::durable_state::put;
use crate::storage::db::schema::{FORMAT, Mark, key};
use crate::storage::db::verify::check_ends;
use crate::storage::error::{OpenError, Unreadable};
use crate::storage::fail_stop::Latch;
use crate::storage::log::bounds::next_index;
use crate::storage::log::recovered_state::Held;
use crate::storage::rng::random_u64;
use crate::storage::space::Space;
use crate::storage::vfs::Vfs;
use crate::storage::{codec, layout};
use std::io;
use std::path::Path;

/// The context of a recovery. The database of the directory was already read.
pub(crate) struct Replay<'a> {
    pub(crate) vfs: &'a dyn Vfs,
    pub(crate) dir: &'a Path,
    pub(crate) latch: &'a Latch,
    pub(crate) space: &'a Space,
}

impl Replay<'_> {
    /// Opens the journal. On return its frames are durable in the database and included in `held`.
    pub(crate) fn open_journal(
        &self,
        database: &mut Database,
        held: &mut Held,
    ) -> Result<Journal, OpenError> {
        let (journal_path, database_path) = (
            self.dir.join(layout::JOURNAL),
            self.dir.join(layout::DATABASE),
        );
        let mark = match database.mark() {
            Some(mark) => mark,
            None => self.make_journal(database)?,
        };
        let (mut journal, frames) = Journal::open(self.vfs, self.dir, self.latch, mark)?;
        for frame in &frames {
            let bytes = follow(frame, held)
                .map_err(|(index, what)| what.in_file(self.dir, &journal_path, index))?;
            database.grow_by(held.last.map(|id| id.index), bytes);
        }
        check_ends(held).map_err(|what| what.in_file(self.dir, &database_path, None))?;
        if let Some(mark) = journal.next_mark() {
            self.take_over(database, &frames, held, mark)
                .map_err(|source| self.unusable(source))?;
            journal.start_over(mark);
        }
        Ok(journal)
    }

    fn unusable(&self, source: io::Error) -> OpenError {
        OpenError::NotWritable {
            dir: self.dir.to_path_buf(),
            source,
        }
    }

    /// Creates the journal of a database that has no journal mark. Such a database is new, or was
    /// written by a release without a journal. An unused journal file next to it was left by a
    /// crash between the two steps below. A used one contains entries of a newer database, so the
    /// directory is rejected.
    fn make_journal(&self, database: &Database) -> Result<Mark, OpenError> {
        let is_used = Journal::is_used(self.vfs, self.dir).map_err(|e| self.unusable(e))?;
        if is_used == Some(true) {
            let what = format!(
                "it does not refer to {}, which contains entries",
                layout::JOURNAL
            );
            let path = self.dir.join(layout::DATABASE);
            return Err(Unreadable::damaged(what).in_file(self.dir, &path, None));
        }
        let make = || {
            if is_used.is_some() {
                self.vfs.remove(&self.dir.join(layout::JOURNAL))?;
            }
            let mark = Mark {
                salt: random_u64()?,
                generation: 1,
                length_bytes: file::LENGTH_BYTES,
            };
            Journal::create(self.vfs, self.dir)?;
            database.write(Commit::TwoPhases, |_, meta| {
                meta.insert(key::FORMAT, &FORMAT.to_le_bytes()[..])?;
                put(meta, key::JOURNAL, Some(codec::encode(&mark)))
            })?;
            Ok(mark)
        };
        make().map_err(|source| self.unusable(source))
    }

    fn take_over(
        &self,
        database: &Database,
        frames: &[Frame],
        held: &Held,
        mark: Mark,
    ) -> io::Result<()> {
        self.space.make_room_for(file::ROOM_IN_DATABASE_BYTES)?;
        database.write(Commit::TwoPhases, |log, meta| {
            for (index, record) in frames.iter().flat_map(|frame| &frame.records) {
                log.insert(index, record.as_slice())?;
            }
            let committed = held.committed.map(codec::encode_log_id);
            put(meta, key::COMMITTED, committed)?;
            put(meta, key::LAST, held.last.map(codec::encode_log_id))?;
            put(meta, key::JOURNAL, Some(codec::encode(&mark)))
        })
    }
}

/// Checks that a frame follows the recovered state, and adds it to that state. Returns the size of
/// its records in bytes.
fn follow(frame: &Frame, held: &mut Held) -> Result<u64, (Option<u64>, Unreadable)> {
    let mut bytes = 0;
    for (index, record) in &frame.records {
        let next = held.last.map_or(*index, |last| next_index(Some(last)));
        if *index != next {
            let what = Unreadable::damaged(format!(
                "log index {next} was expected, but another was found"
            ));
            return Err((Some(*index), what));
        }
        let entry = codec::decode_entry(*index, record).map_err(|what| (Some(*index), what))?;
        held.last = Some(entry.log_id);
        bytes += record.len() as u64;
    }
    if next_index(frame.committed) > next_index(held.committed) {
        held.committed = frame.committed;
    }
    Ok(bytes)
}
