//! The single writer thread (group commit). It takes all queued requests and writes them as one WAL
//! frame or one database transaction, with one fsync. Then it runs the callbacks in order.
//!
//! The fsync of a WAL frame is in `wal::file::Wal::append`. The fsync of a transaction is in redb's
//! commit (`db::database::Database::write`). A two-phase commit has a second fsync.

use super::batch::{self, BatchWritten};
use super::shared::WriterState;
use crate::blocking::{SimDisk, await_durable};
use crate::codec;
use crate::db::database::{CommitMode, Database};
use crate::db::durable_state::{DurableState, put};
use crate::db::schema::{LogTable, MetaTable, key};
use crate::log::bounds::next_index;
use crate::request::{QueuedRequest, WriteRequest, closed};
use crate::types::LogId;
use crate::vfs::FileLock;
use crate::wal::file::{DATABASE_RESERVE_BYTES, Wal};
use crate::wal::pending::PendingWal;
use redb::StorageError;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Idle time after which the last batch is sealed. A seal moves the frames in the WAL to the
/// database with a two-phase commit. A later corruption of a sealed batch is detected, and the
/// directory is rejected. Without a seal, the corruption looks like a torn write, and the last
/// batch is rolled back.
const SEAL_AFTER: Duration = Duration::from_millis(50);

/// The next action of the writer.
enum NextStep {
    Request(QueuedRequest),
    /// The queue is empty, but part of a purge is left to do.
    PurgeSlice,
    /// Nothing was queued for [`SEAL_AFTER`], so the last batch is to be sealed.
    Idle,
    /// The last handle of the store was dropped.
    Gone,
}

/// The writer of a data directory (group commit), which runs as a thread or, in a simulation, as a
/// task.
pub(crate) struct GroupCommitWriter {
    shared: Arc<WriterState>,
    queue: Receiver<QueuedRequest>,
    on_disk: DurableState,
    pending_wal: PendingWal,
    /// The sequence number of the last append on disk.
    sequence: u64,
    /// Whether the last write was a two-phase commit to the database, so that nothing is left to
    /// seal.
    sealed: bool,
}

impl GroupCommitWriter {
    pub(crate) fn new(
        shared: Arc<WriterState>,
        queue: Receiver<QueuedRequest>,
        on_disk: DurableState,
        wal: Wal,
    ) -> Self {
        Self {
            shared,
            queue,
            on_disk,
            pending_wal: PendingWal::new(wal),
            sequence: 0,
            sealed: true,
        }
    }

    /// Runs until the store is closed or its last handle is dropped.
    pub(crate) fn run(mut self) {
        let done = loop {
            match self.next() {
                NextStep::Request(QueuedRequest {
                    request: WriteRequest::Close { done },
                    ..
                }) => break Some(done),
                NextStep::Request(first) => {
                    let (batch, close) = batch::collect(&self.queue, first);
                    self.commit(batch);
                    if close.is_some() {
                        break close;
                    }
                }
                NextStep::PurgeSlice => self.commit(Vec::new()),
                NextStep::Idle => self.seal(),
                NextStep::Gone => break None,
            }
        };
        let result = self.shut_down();
        if let Some(done) = done {
            let _ = done.send(result);
        }
    }

    /// Runs like [`GroupCommitWriter::run`], as a task of a simulation. The simulated delay of the
    /// disk passes between the write of a batch and its replies.
    pub(crate) async fn run_as_task(
        mut self,
        wake: Arc<Notify>,
        disk: Arc<dyn SimDisk>,
        lock: Box<dyn FileLock>,
    ) {
        let done = loop {
            let next = match self.next_at_once() {
                Some(next) => next,
                None if self.sealed || self.shared.fail_stop.check().is_err() => {
                    wake.notified().await;
                    continue;
                }
                None => match tokio::time::timeout(SEAL_AFTER, wake.notified()).await {
                    Ok(()) => continue,
                    Err(_) => NextStep::Idle,
                },
            };
            match next {
                NextStep::Request(QueuedRequest {
                    request: WriteRequest::Close { done },
                    ..
                }) => break Some(done),
                NextStep::Request(first) => {
                    let (batch, close) = batch::collect(&self.queue, first);
                    let (written, commit) = self.write_batch(&batch);
                    await_durable(&disk).await;
                    self.complete_batch(batch, written, commit);
                    if close.is_some() {
                        break close;
                    }
                }
                NextStep::PurgeSlice => self.commit(Vec::new()),
                NextStep::Idle => self.seal(),
                NextStep::Gone => break None,
            }
        };
        let result = self.shut_down();
        drop(lock);
        if let Some(done) = done {
            let _ = done.send(result);
        }
    }

    /// Returns the next action, if there is one, without waiting.
    fn next_at_once(&self) -> Option<NextStep> {
        match self.queue.try_recv() {
            Ok(request) => Some(NextStep::Request(request)),
            Err(TryRecvError::Disconnected) => Some(NextStep::Gone),
            Err(TryRecvError::Empty) => {
                let purges = self.on_disk.purging && self.shared.fail_stop.check().is_ok();
                purges.then_some(NextStep::PurgeSlice)
            }
        }
    }

    /// Waits for the next action.
    fn next(&self) -> NextStep {
        let failed = self.shared.fail_stop.check().is_err();
        if self.on_disk.purging && !failed {
            return match self.queue.try_recv() {
                Ok(request) => NextStep::Request(request),
                Err(TryRecvError::Empty) => NextStep::PurgeSlice,
                Err(TryRecvError::Disconnected) => NextStep::Gone,
            };
        }
        if self.sealed || failed {
            return self.queue.recv().map_or(NextStep::Gone, NextStep::Request);
        }
        match self.queue.recv_timeout(SEAL_AFTER) {
            Ok(request) => NextStep::Request(request),
            Err(RecvTimeoutError::Timeout) => NextStep::Idle,
            Err(RecvTimeoutError::Disconnected) => NextStep::Gone,
        }
    }

    /// Commits a batch: writes it and replies to its callers.
    fn commit(&mut self, batch: Vec<QueuedRequest>) {
        let (written, commit) = self.write_batch(&batch);
        self.complete_batch(batch, written, commit);
    }

    /// Writes a batch. Returns the resulting state on disk, and the kind of commit that was used.
    fn write_batch(&mut self, batch: &[QueuedRequest]) -> (io::Result<BatchWritten>, CommitMode) {
        let mut commit = batch::commit_mode(batch);
        let written = self.shared.fail_stop.check().and_then(|()| {
            if self.goes_to_wal(batch)? {
                return self.append_to_wal(batch, commit).map(BatchWritten::Wal);
            }
            if commit == CommitMode::OnePhase && !self.pending_wal.is_empty() {
                commit = CommitMode::TwoPhases;
            }
            self.write(batch, commit).map(BatchWritten::Database)
        });
        (written, commit)
    }

    /// Returns whether a batch is written to the WAL. The disk must have the space to move the
    /// batch to the database later. While a purge is in progress, batches go to the database,
    /// because each transaction also deletes a slice of the purged entries.
    fn goes_to_wal(&self, batch: &[QueuedRequest]) -> io::Result<bool> {
        let may = !self.on_disk.purging && self.pending_wal.accepts(batch);
        Ok(may && self.shared.space.has(DATABASE_RESERVE_BYTES)?)
    }

    /// Reports the result of a batch to its callers.
    fn complete_batch(
        &mut self,
        batch: Vec<QueuedRequest>,
        written: io::Result<BatchWritten>,
        commit: CommitMode,
    ) {
        match self.shared.fail_stop.watch(written).map_err(Arc::new) {
            Ok(written) => {
                let (on_disk, in_database) = match written {
                    BatchWritten::Wal(on_disk) => (on_disk, false),
                    BatchWritten::Database(on_disk) => (on_disk, true),
                };
                self.on_disk = on_disk;
                self.sealed = in_database && commit == CommitMode::TwoPhases;
                self.publish(&batch, in_database);
                for QueuedRequest {
                    mut request,
                    permit,
                } in batch
                {
                    if !in_database {
                        self.pending_wal.keep(&mut request);
                    }
                    request.reply(Ok(()));
                    drop(permit);
                }
            }
            Err(failure) => {
                for QueuedRequest { request, permit } in batch {
                    request.reply(Err(io::Error::new(failure.kind(), Arc::clone(&failure))));
                    drop(permit);
                }
            }
        }
    }

    /// Writes a batch to the WAL.
    fn append_to_wal(
        &mut self,
        batch: &[QueuedRequest],
        commit: CommitMode,
    ) -> io::Result<DurableState> {
        let mut after = self.on_disk;
        for QueuedRequest { request, .. } in batch {
            after.record_wal_append(request);
        }
        let committed = self.committed_with(&after);
        after.committed = committed.or(after.committed);
        let is_synced = commit.is_synced();
        self.pending_wal.append(batch, committed, is_synced)?;
        Ok(after)
    }

    /// Returns the latest committed log id reported by openraft, if this id is new and not past the
    /// end of the log on disk. `after` is the state on disk after the current batch.
    fn committed_with(&self, after: &DurableState) -> Option<LogId> {
        let reported = self.shared.view().committed;
        reported.filter(|_| {
            reported != after.committed && next_index(reported) <= next_index(after.last)
        })
    }

    /// Writes a batch to the database, together with the frames in the WAL (checkpoint). If a purge
    /// is in progress, the same transaction deletes a slice of the purged entries.
    fn write(&mut self, batch: &[QueuedRequest], commit: CommitMode) -> io::Result<DurableState> {
        if !commit.is_synced() && !self.pending_wal.is_empty() {
            self.on_disk = self.write(&[], CommitMode::TwoPhases)?;
        }
        self.make_room(batch)?;
        let mut after = self.on_disk;
        let mut epoch = None;
        self.transact(commit, |log, meta| {
            epoch = self.pending_wal.checkpoint(log, meta)?;
            for QueuedRequest { request, .. } in batch {
                after.apply(request, log, meta)?;
            }
            after.purge_slice(log)?;
            let reported = self.committed_with(&after);
            if reported.is_some() || epoch.is_some() {
                after.committed = reported.or(after.committed);
                let committed = after.committed.map(codec::encode_log_id);
                put(meta, key::COMMITTED, committed)?;
            }
            put(meta, key::LAST, after.last.map(codec::encode_log_id))
        })?;
        self.pending_wal.checkpointed(epoch);
        if batch
            .iter()
            .any(|q| matches!(q.request, WriteRequest::Wipe { .. }))
        {
            self.shared.snapshots.remove_all()?;
        }
        Ok(after)
    }

    /// Makes space for a transaction by deleting the ballast if necessary. A purge must be able to
    /// commit, since it frees space. The entries in the WAL must fit into the database, since they
    /// are already acknowledged.
    fn make_room(&self, batch: &[QueuedRequest]) -> io::Result<()> {
        if batch
            .iter()
            .any(|q| matches!(q.request, WriteRequest::Purge { .. }))
        {
            self.shared.space.make_room(batch::BYTES_MAX as u64)?;
        }
        match self.pending_wal.is_empty() {
            true => Ok(()),
            false => self.shared.space.make_room_for(DATABASE_RESERVE_BYTES),
        }
    }

    /// Runs a transaction on the database, unless the store is closed.
    fn transact(
        &self,
        commit: CommitMode,
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
    fn publish(&mut self, batch: &[QueuedRequest], in_database: bool) {
        let mut view = self.shared.view();
        let DurableState {
            last, log_bytes, ..
        } = self.on_disk;
        (view.last_on_disk, view.log_bytes) = (last, log_bytes);
        let appended_bytes = batch
            .iter()
            .map(|queued| queued.request.bytes() as u64)
            .sum();
        view.size_index
            .note(last.map(|id| id.index), appended_bytes, log_bytes);
        for QueuedRequest { request, .. } in batch {
            match request {
                WriteRequest::Append { sequence, .. } => self.sequence = *sequence,
                WriteRequest::Vote { vote, .. } => view.vote = Some(*vote),
                WriteRequest::Identity { identity, .. } => view.identity = Some(identity.clone()),
                WriteRequest::Wipe { .. } => view.wipe(),
                WriteRequest::TruncateAfter { .. }
                | WriteRequest::Purge { .. }
                | WriteRequest::Close { .. } => {}
            }
        }
        if in_database {
            // Entries that are only in the WAL stay in memory, since readers do not read the WAL.
            view.flushed(self.sequence);
        }
    }

    /// Seals the last batch with a two-phase commit, which also empties the WAL. Then creates the
    /// ballast again if it was deleted.
    fn seal(&mut self) {
        let sealed = self.write(&[], CommitMode::TwoPhases);
        if let Ok(on_disk) = self.shared.fail_stop.watch(sealed) {
            self.on_disk = on_disk;
            self.sealed = true;
            self.publish(&[], true);
            // A failure is recorded, and the next request sees it.
            let _ = self
                .shared
                .fail_stop
                .watch(self.shared.space.restore_ballast());
        }
    }

    /// Seals the last batch, unless the storage failed, and closes the database.
    fn shut_down(&mut self) -> io::Result<()> {
        let committed = self.shared.view().committed;
        if self.shared.fail_stop.check().is_ok()
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
        self.shared.fail_stop.check()?;
        self.shared
            .fail_stop
            .watch(database.map_or(Ok(()), Database::close))
    }
}
