//! The steps that open a data directory: lock it, remove leftovers, create it if necessary, and
//! check it.

use super::blocking::BlockingExecutor;
use super::db::database::Database;
use super::error::OpenError;
use super::fail_stop::FailStop;
use super::layout;
use super::log::bounds::next_index;
use super::log::recovered_state;
use super::snapshots::directory::Snapshots;
use super::snapshots::file::LoadError;
use super::space::Space;
use super::vfs::{FileLock, Vfs, parent_of};
use super::wal::file::Wal;
use super::wal::recovery::WalRecovery;
use crate::types::LogId;
use std::path::Path;
use std::sync::Arc;

/// An open data directory. The database is the first field, so that it is closed before the lock is
/// released.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) database: Database,
    pub(crate) wal: Wal,
    pub(crate) recovered: recovered_state::RecoveredState,
    /// The last log id that the newest snapshot covers.
    pub(crate) covered: Option<LogId>,
    pub(crate) snapshots: Snapshots,
    pub(crate) fail_stop: FailStop,
    pub(crate) space: Arc<Space>,
    pub(crate) lock: Box<dyn FileLock>,
}

impl Opened {
    /// Returns the last log id of the log or of the newest snapshot, whichever is higher. A
    /// snapshot received from a leader is durable before the log is purged. A crash may therefore
    /// leave the snapshot ahead of the log.
    pub(crate) fn reach(&self) -> Option<LogId> {
        self.recovered.last.max(self.covered)
    }
}

/// Opens a data directory and checks all of its content.
pub(crate) fn open_directory(
    vfs: Arc<dyn Vfs>,
    dir: &Path,
    executor: BlockingExecutor,
) -> Result<Opened, OpenError> {
    let unusable = |source| OpenError::NotWritable {
        dir: dir.to_path_buf(),
        source,
    };
    vfs.create_dir_all(dir).map_err(unusable)?;
    let lock_file = dir.join(layout::LOCK);
    let lock = vfs
        .lock(&lock_file)
        .map_err(unusable)?
        .ok_or(OpenError::InUse { lock: lock_file })?;
    make_database(&*vfs, dir)?;
    // A killed process may have left directory entries that are visible but not durable. They are
    // synced before this process relies on them.
    vfs.sync_dir(dir).map_err(unusable)?;
    vfs.sync_dir(&parent_of(dir)).map_err(unusable)?;
    let fail_stop = FailStop::new();
    let (mut database, mut recovered) = Database::open(&*vfs, dir, &fail_stop)?;
    let space = Arc::new(Space::new(Arc::clone(&vfs), dir).map_err(unusable)?);
    let wal = WalRecovery {
        vfs: &*vfs,
        dir,
        fail_stop: &fail_stop,
        space: &space,
    }
    .open_wal(&mut database, &mut recovered)?;
    let snapshots = Snapshots::new(vfs, dir, fail_stop.clone(), Arc::clone(&space), executor);
    let covered = check_snapshots(&snapshots, dir, &recovered)?;
    space.restore_ballast().map_err(unusable)?;
    Ok(Opened {
        database,
        wal,
        recovered,
        covered,
        snapshots,
        fail_stop,
        space,
        lock,
    })
}

/// Removes the temporary files that a crash left behind, and creates the database if the directory
/// is new.
fn make_database(vfs: &dyn Vfs, dir: &Path) -> Result<(), OpenError> {
    let unusable = |source| OpenError::NotWritable {
        dir: dir.to_path_buf(),
        source,
    };
    let names = vfs.list(dir).map_err(unusable)?;
    for leftover in names
        .iter()
        .filter(|n| n.ends_with(layout::TEMPORARY_SUFFIX))
    {
        vfs.remove(&dir.join(leftover)).map_err(unusable)?;
    }
    if names.iter().any(|n| n == layout::DATABASE) {
        return Ok(());
    }
    let is_of_one =
        |name: &&String| name.ends_with(layout::SNAPSHOT_SUFFIX) || *name == layout::JOURNAL;
    if let Some(rest) = names.iter().find(is_of_one) {
        return Err(OpenError::Corrupt {
            dir: dir.to_path_buf(),
            file: dir.join(layout::DATABASE),
            what: format!("it is missing, although {rest} exists").into(),
            log_index: None,
        });
    }
    Database::create(vfs, dir).map_err(unusable)
}

/// Checks that everything purged from the log is covered by an intact snapshot. Returns the last
/// log id that the newest snapshot covers.
fn check_snapshots(
    snapshots: &Snapshots,
    dir: &Path,
    recovered: &recovered_state::RecoveredState,
) -> Result<Option<LogId>, OpenError> {
    let unusable = |source| OpenError::NotWritable {
        dir: dir.to_path_buf(),
        source,
    };
    if *recovered == recovered_state::RecoveredState::default() {
        // The database is empty, so any snapshots were left by a crash during a wipe of the
        // directory.
        return snapshots.remove_all().map(|()| None).map_err(unusable);
    }
    let newest = snapshots.read_newest().map_err(|e| match e {
        LoadError::Io(source) => unusable(source),
        LoadError::Unreadable(file, what) => what.in_file(dir, &file, None),
    })?;
    let covered = newest.and_then(|(meta, _)| meta.last_log_id);
    if next_index(covered) < next_index(recovered.purged) {
        return Err(OpenError::Corrupt {
            dir: dir.to_path_buf(),
            file: dir.join(layout::DATABASE),
            what: "the log was purged past the newest snapshot".into(),
            log_index: recovered.purged.map(|p| p.index),
        });
    }
    Ok(covered)
}
