//! The single writer thread (group commit). It takes all queued operations, writes them as one
//! journal frame or one database transaction with one fsync, and then runs the callbacks in order.

use super::shared::Shared;
#[cfg(feature = "planted")]
use crate::planted::{Bug, is_planted};
use crate::storage::blocking::{Pace, settle};
use crate::storage::codec;
use crate::storage::db::database::{Commit, Database};
use crate::storage::db::durable_state::{OnDisk, put};
use crate::storage::db::schema::{LogTable, MetaTable, key};
use crate::storage::log::bounds::next_index;
use crate::storage::request::{Done, Op, Queued, closed};
use crate::storage::types::LogId;
use crate::storage::vfs::Held;
use crate::storage::wal::file::{Journal, ROOM_IN_DATABASE_BYTES};
use crate::storage::wal::pending::Journaled;
use redb::StorageError;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Maximum number of operations in a batch; the bytes are limited approximately too. An operation
/// queued behind a batch thus waits for a single commit (including the frames in the journal), not
/// for a whole backlog.
const BATCH_OPS_MAX: usize = 4096;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Idle time after which the last batch is sealed and the frames in the journal are moved to the
/// database. A one-phase commit that is corrupted later looks like a torn one and is rolled back,
/// and so is the last frame of the journal. Sealed data that is corrupted is rejected instead.
const SEAL_AFTER: Duration = Duration::from_millis(50);

enum Next {
    Op(Queued),
    /// The queue is empty, but part of a purge is left to do.
    PurgeSlice,
    Idle,
    Gone,
}

/// The destination of a batch.
enum Written {
    Journal(OnDisk),
    Database(OnDisk),
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    queue: Receiver<Queued>,
    on_disk: OnDisk,
    journaled: Journaled,
    /// The sequence number of the last append on disk.
    sequence: u64,
    sealed: bool,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        queue: Receiver<Queued>,
        on_disk: OnDisk,
        journal: Journal,
    ) -> Self {
        Self {
            shared,
            queue,
            on_disk,
            journaled: Journaled::new(journal),
            sequence: 0,
            sealed: true,
        }
    }

    /// Runs until the store is closed or its last handle is dropped.
    pub(crate) fn run(mut self) {
        let done = loop {
            match self.next() {
                Next::Op(Queued {
                    op: Op::Close { done },
                    ..
                }) => break Some(done),
                Next::Op(first) => {
                    let (batch, close) = self.gather(first);
                    self.commit(batch);
                    if close.is_some() {
                        break close;
                    }
                }
                Next::PurgeSlice => self.commit(Vec::new()),
                Next::Idle => self.seal(),
                Next::Gone => break None,
            }
        };
        let result = self.shut_down();
        if let Some(done) = done {
            let _ = done.send(result);
        }
    }

    /// Like [`Writer::run`], as a task of a simulation: the simulated delay of the disk passes
    /// between a batch and its replies.
    pub(crate) async fn run_as_task(
        mut self,
        wake: Arc<Notify>,
        pace: Arc<dyn Pace>,
        lock: Box<dyn Held>,
    ) {
        let done = loop {
            let next = match self.next_at_once() {
                Some(next) => next,
                None if self.sealed || self.shared.latch.check().is_err() => {
                    wake.notified().await;
                    continue;
                }
                None => match tokio::time::timeout(SEAL_AFTER, wake.notified()).await {
                    Ok(()) => continue,
                    Err(_) => Next::Idle,
                },
            };
            match next {
                Next::Op(Queued {
                    op: Op::Close { done },
                    ..
                }) => break Some(done),
                Next::Op(first) => {
                    let (batch, close) = self.gather(first);
                    let (written, commit) = self.bring_to_disk(&batch);
                    settle(&pace).await;
                    self.conclude(batch, written, commit);
                    if close.is_some() {
                        break close;
                    }
                }
                Next::PurgeSlice => self.commit(Vec::new()),
                Next::Idle => self.seal(),
                Next::Gone => break None,
            }
        };
        let result = self.shut_down();
        drop(lock);
        if let Some(done) = done {
            let _ = done.send(result);
        }
    }

    /// Returns the next thing to do, if there is one, without waiting.
    fn next_at_once(&self) -> Option<Next> {
        match self.queue.try_recv() {
            Ok(queued) => Some(Next::Op(queued)),
            Err(TryRecvError::Disconnected) => Some(Next::Gone),
            Err(TryRecvError::Empty) => {
                let purges = self.on_disk.purging && self.shared.latch.check().is_ok();
                purges.then_some(Next::PurgeSlice)
            }
        }
    }

    fn next(&self) -> Next {
        let failed = self.shared.latch.check().is_err();
        if self.on_disk.purging && !failed {
            return match self.queue.try_recv() {
                Ok(queued) => Next::Op(queued),
                Err(TryRecvError::Empty) => Next::PurgeSlice,
                Err(TryRecvError::Disconnected) => Next::Gone,
            };
        }
        if self.sealed || failed {
            return self.queue.recv().map_or(Next::Gone, Next::Op);
        }
        match self.queue.recv_timeout(SEAL_AFTER) {
            Ok(queued) => Next::Op(queued),
            Err(RecvTimeoutError::Timeout) => Next::Idle,
            Err(RecvTimeoutError::Disconnected) => Next::Gone,
        }
    }

    /// Collects the queued operations into a batch, without waiting for more. A close is returned
    /// separately, since it comes last.
    fn gather(&self, first: Queued) -> (Vec<Queued>, Option<Done>) {
        let mut bytes = first.op.bytes();
        let mut batch = vec![first];
        while batch.len() < BATCH_OPS_MAX && bytes < BATCH_BYTES_MAX {
            match self.queue.try_recv() {
                Ok(Queued {
                    op: Op::Close { done },
                    ..
                }) => return (batch, Some(done)),
                Ok(queued) => {
                    bytes += queued.op.bytes();
                    batch.push(queued);
                }
                Err(_) => break,
            }
        }
        (batch, None)
    }

    fn commit(&mut self, batch: Vec<Queued>) {
        let (written, commit) = self.bring_to_disk(&batch);
        self.conclude(batch, written, commit);
    }

    /// Writes a batch. Returns the resulting state on disk, and the kind of commit that was used.
    fn bring_to_disk(&mut self, batch: &[Queued]) -> (io::Result<Written>, Commit) {
        let mut commit = commit_of(batch);
        let written = self.shared.latch.check().and_then(|()| {
            if self.goes_to_journal(batch)? {
                return self.write_journal(batch, commit).map(Written::Journal);
            }
            if commit == Commit::OnePhase && !self.journaled.is_empty() {
                commit = Commit::TwoPhases;
            }
            self.write(batch, commit).map(Written::Database)
        });
        (written, commit)
    }

    /// Returns whether a batch goes into the journal. The database must then have the space to take
    /// it over later. While a purge is in progress, batches go to the database, since slices of the
    /// purge are part of its transactions.
    fn goes_to_journal(&self, batch: &[Queued]) -> io::Result<bool> {
        let may = !self.on_disk.purging && self.journaled.takes(batch);
        Ok(may && self.shared.space.has(ROOM_IN_DATABASE_BYTES)?)
    }

    /// Reports the result of a batch to its callers.
    fn conclude(&mut self, batch: Vec<Queued>, written: io::Result<Written>, commit: Commit) {
        match self.shared.latch.watch(written) {
            Ok(written) => {
                let (on_disk, in_database) = match written {
                    Written::Journal(on_disk) => (on_disk, false),
                    Written::Database(on_disk) => (on_disk, true),
                };
                self.on_disk = on_disk;
                self.sealed = in_database && commit == Commit::TwoPhases;
                self.publish(&batch, in_database);
                for Queued { mut op, permit } in batch {
                    if !in_database {
                        self.journaled.keep(&mut op);
                    }
                    op.answer(Ok(()));
                    drop(permit);
                }
            }
            Err(failure) => {
                for Queued { op, permit } in batch {
                    op.answer(Err(io::Error::new(failure.kind(), failure.to_string())));
                    drop(permit);
                }
            }
        }
    }

    /// Writes a batch to the journal.
    fn write_journal(&mut self, batch: &[Queued], commit: Commit) -> io::Result<OnDisk> {
        let mut after = self.on_disk;
        for Queued { op, .. } in batch {
            after.journal(op);
        }
        let committed = self.committed_with(&after);
        after.committed = committed.or(after.committed);
        let is_synced = commit.is_synced();
        self.journaled.append(batch, committed, is_synced)?;
        Ok(after)
    }

    /// Returns the latest committed log id reported by openraft, if it is new and the log on disk,
    /// including this batch, reaches that far.
    fn committed_with(&self, after: &OnDisk) -> Option<LogId> {
        let told = self.shared.view().committed;
        told.filter(|_| told != after.committed && next_index(told) <= next_index(after.last))
    }

    fn write(&mut self, batch: &[Queued], commit: Commit) -> io::Result<OnDisk> {
        if !commit.is_synced() && !self.journaled.is_empty() {
            self.on_disk = self.write(&[], Commit::TwoPhases)?;
        }
        self.make_room(batch)?;
        let mut after = self.on_disk;
        let mut mark = None;
        self.transact(commit, |log, meta| {
            mark = self.journaled.bring_over(log, meta)?;
            for Queued { op, .. } in batch {
                after.apply(op, log, meta)?;
            }
            after.purge_slice(log)?;
            let told = self.committed_with(&after);
            if told.is_some() || mark.is_some() {
                after.committed = told.or(after.committed);
                let committed = after.committed.map(codec::encode_log_id);
                put(meta, key::COMMITTED, committed)?;
            }
            put(meta, key::LAST, after.last.map(codec::encode_log_id))
        })?;
        self.journaled.brought_over(mark);
        if batch.iter().any(|q| matches!(q.op, Op::Wipe { .. })) {
            self.shared.snapshots.remove_all()?;
        }
        Ok(after)
    }

    /// Ensures that there is space. A purge must be able to commit, since it frees space, and the
    /// entries in the journal must fit into the database, since they are already acknowledged.
    fn make_room(&self, batch: &[Queued]) -> io::Result<()> {
        if batch.iter().any(|q| matches!(q.op, Op::Purge { .. })) {
            self.shared.space.make_room(BATCH_BYTES_MAX as u64)?;
        }
        match self.journaled.is_empty() {
            true => Ok(()),
            false => self.shared.space.make_room_for(ROOM_IN_DATABASE_BYTES),
        }
    }

    fn transact(
        &self,
        commit: Commit,
        change: impl FnOnce(&mut LogTable<'_>, &mut MetaTable<'_>) -> Result<(), StorageError>,
    ) -> io::Result<()> {
        let database = self
            .shared
            .database
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        database.as_ref().ok_or_else(closed)?.write(commit, change)
    }

    /// Publishes the state on disk to the readers.
    fn publish(&mut self, batch: &[Queued], in_database: bool) {
        let mut view = self.shared.view();
        let OnDisk {
            last, log_bytes, ..
        } = self.on_disk;
        (view.last_on_disk, view.log_bytes) = (last, log_bytes);
        let appended_bytes = batch.iter().map(|queued| queued.op.bytes() as u64).sum();
        view.growth
            .note(last.map(|id| id.index), appended_bytes, log_bytes);
        for Queued { op, .. } in batch {
            match op {
                Op::Append { sequence, .. } => self.sequence = *sequence,
                Op::Vote { vote, .. } => view.vote = Some(*vote),
                Op::Identity { identity, .. } => view.identity = Some(identity.clone()),
                Op::Wipe { .. } => view.wipe(),
                Op::TruncateAfter { .. } | Op::Purge { .. } | Op::Close { .. } => {}
            }
        }
        if in_database {
            // Entries that are only in the journal are read from memory.
            view.flushed(self.sequence);
        }
    }

    /// Seals the last batch with a two-phase commit, and restores the ballast if a purge took it.
    fn seal(&mut self) {
        let sealed = self.write(&[], Commit::TwoPhases);
        if let Ok(on_disk) = self.shared.latch.watch(sealed) {
            self.on_disk = on_disk;
            self.sealed = true;
            self.publish(&[], true);
            // A failure is latched, and the next operation sees it.
            let _ = self.shared.latch.watch(self.shared.space.restore_ballast());
        }
    }

    fn shut_down(&mut self) -> io::Result<()> {
        let committed = self.shared.view().committed;
        if self.shared.latch.check().is_ok()
            && (!self.sealed || committed != self.on_disk.committed)
        {
            self.seal();
        }
        let database = self
            .shared
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.shared.latch.check()?;
        self.shared
            .latch
            .watch(database.map_or(Ok(()), Database::close))
    }
}

/// Returns the kind of commit for a batch.
fn commit_of(batch: &[Queued]) -> Commit {
    #[cfg(feature = "planted")]
    if is_planted(Bug::VoteUnsynced) && batch.iter().any(|q| matches!(q.op, Op::Vote { .. })) {
        return Commit::Unsynced;
    }
    match batch.iter().any(|q| q.op.wants_two_phases()) {
        true => Commit::TwoPhases,
        #[cfg(feature = "planted")]
        false if is_planted(Bug::EntryUnsynced) => Commit::Unsynced,
        false => Commit::OnePhase,
    }
}
