//! The one thread that writes: everything that waits goes into one frame of the journal, or one
//! transaction of the database, with one sync, and then the callbacks run in order (group commit).

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

/// A batch takes at most this many operations and about as many bytes: what waits behind it
/// waits for one commit (with what is in the journal), not for a backlog.
const BATCH_OPS_MAX: usize = 4096;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// After this long without traffic the last batch is sealed, and what is in the journal brought
/// into the database. A one-phase commit that rots looks like a torn one and is rolled back, and
/// so is the journal's last frame; what is sealed is refused instead.
const SEAL_AFTER: Duration = Duration::from_millis(50);

enum Next {
    Op(Queued),
    /// Nothing waits, but part of a purge does.
    PurgeSlice,
    Idle,
    Gone,
}

/// Where a batch was brought to.
enum Written {
    Journal(OnDisk),
    Database(OnDisk),
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    queue: Receiver<Queued>,
    on_disk: OnDisk,
    journaled: Journaled,
    /// The last append on disk.
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

    /// Runs until the store is closed or its last handle is gone.
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

    /// As [`Writer::run`], as a task of a simulation: between a batch and its answers the disk's time passes.
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

    /// What there is to do without waiting.
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

    /// Takes what waits; never waits for more. Gives a close back apart, since it comes last.
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

    /// Writes a batch. What is on disk then, and how it was brought there.
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

    /// Whether a batch goes into the journal, for which the database must have the space that it is to take later. Slices of a purge
    /// ride on transactions.
    fn goes_to_journal(&self, batch: &[Queued]) -> io::Result<bool> {
        let may = !self.on_disk.purging && self.journaled.takes(batch);
        Ok(may && self.shared.space.has(ROOM_IN_DATABASE_BYTES)?)
    }

    /// Tells those who wait for a batch what came of it.
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

    /// Writes a batch that the journal takes.
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

    /// What openraft told to be committed since, if the log that is on disk with it reaches as far.
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

    /// A purge frees space, and what is in the journal is acknowledged: both must find the space that they need first.
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

    /// Shows what is on disk now to the readers.
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
            // What is in the journal alone is read from memory.
            view.flushed(self.sequence);
        }
    }

    /// Makes the last batch certain, and the ballast again if a purge took it.
    fn seal(&mut self) {
        let sealed = self.write(&[], Commit::TwoPhases);
        if let Ok(on_disk) = self.shared.latch.watch(sealed) {
            self.on_disk = on_disk;
            self.sealed = true;
            self.publish(&[], true);
            // A failure is latched and seen by the next operation.
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

/// How a batch is brought to disk.
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
