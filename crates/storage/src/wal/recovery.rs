//! Recovery of the WAL when a directory is opened. The WAL is created if it does not exist, and its
//! frames are moved to the database.

use super::file::{self, Wal};
use super::frame::WalFrame;
use crate::db::database::{CommitMode, Database};
use crate::db::durable_state::put;
use crate::db::schema::{FORMAT, WalEpoch, key};
use crate::db::verify::check_ends;
use crate::error::{OpenError, Unreadable};
use crate::fail_stop::FailStop;
use crate::log::bounds::next_index;
use crate::log::recovered_state::RecoveredState;
use crate::rng::random_u64;
use crate::space::Space;
use crate::vfs::Vfs;
use crate::{codec, layout};
use std::io;
use std::path::Path;

/// The context of a recovery. The database of the directory was already read.
pub(crate) struct WalRecovery<'a> {
    pub(crate) vfs: &'a dyn Vfs,
    pub(crate) dir: &'a Path,
    pub(crate) fail_stop: &'a FailStop,
    pub(crate) space: &'a Space,
}

impl WalRecovery<'_> {
    /// Opens the WAL. On return its frames are durable in the database and included in
    /// `recovered`.
    pub(crate) fn open_wal(
        &self,
        database: &mut Database,
        recovered: &mut RecoveredState,
    ) -> Result<Wal, OpenError> {
        let (wal_path, database_path) = (
            self.dir.join(layout::JOURNAL),
            self.dir.join(layout::DATABASE),
        );
        let epoch = match database.epoch() {
            Some(epoch) => epoch,
            None => self.create_wal(database)?,
        };
        let (mut wal, frames) = Wal::open(self.vfs, self.dir, self.fail_stop, epoch)?;
        for frame in &frames {
            let bytes = follow(frame, recovered)
                .map_err(|(index, what)| what.in_file(self.dir, &wal_path, index))?;
            database.grow_by(recovered.last.map(|id| id.index), bytes);
        }
        check_ends(recovered).map_err(|what| what.in_file(self.dir, &database_path, None))?;
        if let Some(epoch) = wal.next_epoch() {
            self.checkpoint(database, &frames, recovered, epoch)
                .map_err(|source| self.unusable(source))?;
            wal.start_over(epoch);
        }
        Ok(wal)
    }

    fn unusable(&self, source: io::Error) -> OpenError {
        OpenError::NotWritable {
            dir: self.dir.to_path_buf(),
            source,
        }
    }

    /// Creates the WAL of a database that has no WAL epoch. Such a database is new, or was written
    /// by a release without a WAL.
    ///
    /// - An existing WAL file that was never written to is replaced. Such a file is left by a crash
    ///   between the creation of the file and the storing of its epoch.
    /// - An existing WAL file that was written to contains entries of a newer database, so the
    ///   directory is rejected.
    fn create_wal(&self, database: &Database) -> Result<WalEpoch, OpenError> {
        let is_used = Wal::is_used(self.vfs, self.dir).map_err(|e| self.unusable(e))?;
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
            let epoch = WalEpoch {
                salt: random_u64()?,
                generation: 1,
                length_bytes: file::LENGTH_BYTES,
            };
            Wal::create(self.vfs, self.dir)?;
            database.write(CommitMode::TwoPhases, |_, meta| {
                meta.insert(key::FORMAT, &FORMAT.to_le_bytes()[..])?;
                put(meta, key::JOURNAL, Some(codec::encode(&epoch)))
            })?;
            Ok(epoch)
        };
        make().map_err(|source| self.unusable(source))
    }

    /// Moves the frames to the database, in a durable transaction that also stores the next epoch.
    fn checkpoint(
        &self,
        database: &Database,
        frames: &[WalFrame],
        recovered: &RecoveredState,
        epoch: WalEpoch,
    ) -> io::Result<()> {
        self.space.make_room_for(file::DATABASE_RESERVE_BYTES)?;
        database.write(CommitMode::TwoPhases, |log, meta| {
            for (index, record) in frames.iter().flat_map(|frame| &frame.records) {
                log.insert(index, record.as_slice())?;
            }
            let committed = recovered.committed.map(codec::encode_log_id);
            put(meta, key::COMMITTED, committed)?;
            put(meta, key::LAST, recovered.last.map(codec::encode_log_id))?;
            put(meta, key::JOURNAL, Some(codec::encode(&epoch)))
        })
    }
}

/// Checks that a frame follows the recovered state, and adds the frame to that state. Returns the
/// size of the frame's records in bytes.
fn follow(
    frame: &WalFrame,
    recovered: &mut RecoveredState,
) -> Result<u64, (Option<u64>, Unreadable)> {
    let mut bytes = 0;
    for (index, record) in &frame.records {
        let next = recovered.last.map_or(*index, |last| next_index(Some(last)));
        if *index != next {
            let what = Unreadable::damaged(format!(
                "log index {next} was expected, but another was found"
            ));
            return Err((Some(*index), what));
        }
        let entry = codec::decode_entry(*index, record).map_err(|what| (Some(*index), what))?;
        recovered.last = Some(entry.log_id);
        bytes += record.len() as u64;
    }
    if next_index(frame.committed) > next_index(recovered.committed) {
        recovered.committed = frame.committed;
    }
    Ok(bytes)
}
