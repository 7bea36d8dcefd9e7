//! The one thread that writes: everything that waits goes into one transaction with one
//! sync, and then the callbacks run in order (group commit).

use super::database::{Database, LogTable, MetaTable, key};
use super::identity::Identity;
use super::latch::Latch;
use super::record;
use super::snapshots::Snapshots;
use super::space::Space;
use super::view::{LogView, kept_after, next_index};
use crate::raft::types::{LogId, TypeConfig, Vote};
use openraft::storage::IOFlushed;
use redb::StorageError;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A transaction takes at most this many operations and about as many bytes: what waits
/// behind it waits for one commit, not for a backlog.
const BATCH_OPS_MAX: usize = 4096;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// A purge deletes this many entries in a commit (0.6 ms), so that appends do not wait for it.
const PURGE_SLICE: u64 = 2_000;
/// After this long without traffic the last batch is sealed. A one-phase commit that rots
/// looks like a torn one and is rolled back; a sealed one is refused instead.
const SEAL_AFTER: Duration = Duration::from_millis(50);

/// What a caller waits for.
pub(super) type Done = oneshot::Sender<io::Result<()>>;

/// openraft's callback. Dropped without an answer, it reports a failure: none is ever lost.
pub(super) struct Callback(Option<IOFlushed<TypeConfig>>);

impl Callback {
    pub(super) fn new(callback: IOFlushed<TypeConfig>) -> Self {
        Self(Some(callback))
    }

    fn complete(mut self, result: io::Result<()>) {
        if let Some(callback) = self.0.take() {
            callback.io_completed(result);
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(callback) = self.0.take() {
            callback.io_completed(Err(io::Error::other("the storage stopped before this was written")));
        }
    }
}

/// One thing to write.
pub(super) enum Op {
    Append {
        records: Vec<(u64, Vec<u8>)>,
        last: Option<LogId>,
        sequence: u64,
        callback: Callback,
    },
    TruncateAfter {
        last: Option<LogId>,
        done: Done,
    },
    Purge {
        upto: LogId,
    },
    Vote {
        vote: Vote,
        done: Done,
    },
    Identity {
        identity: Identity,
        done: Done,
    },
    Wipe {
        done: Done,
    },
    Close {
        done: Done,
    },
}

impl Op {
    fn bytes(&self) -> usize {
        match self {
            Self::Append { records, .. } => records.iter().map(|(_, r)| r.len()).sum(),
            _ => 0,
        }
    }

    /// These are rare, and too dear to be rolled back by rot.
    fn wants_two_phases(&self) -> bool {
        matches!(self, Self::Vote { .. } | Self::Identity { .. } | Self::Wipe { .. })
    }

    fn answer(self, result: io::Result<()>) {
        match self {
            Self::Append { callback, .. } => callback.complete(result),
            Self::Purge { .. } => {}
            Self::TruncateAfter { done, .. }
            | Self::Vote { done, .. }
            | Self::Identity { done, .. }
            | Self::Wipe { done }
            | Self::Close { done } => {
                // The caller may have gone; what it asked for is done all the same.
                let _ = done.send(result);
            }
        }
    }
}

/// An operation with its share of the queue.
pub(super) struct Queued {
    pub(super) op: Op,
    pub(super) permit: OwnedSemaphorePermit,
}

/// What the writer and the store's handles share.
#[derive(Debug)]
pub(super) struct Shared {
    /// `None` once the store is closed.
    pub(super) database: RwLock<Option<Database>>,
    pub(super) latch: Latch,
    pub(super) space: Arc<Space>,
    pub(super) snapshots: Snapshots,
    /// Held for moments only, never over an operation of the disk.
    view: Mutex<LogView>,
}

impl Shared {
    pub(super) fn new(
        database: Database,
        latch: Latch,
        space: Arc<Space>,
        snapshots: Snapshots,
        view: LogView,
    ) -> Self {
        Self {
            database: RwLock::new(Some(database)),
            latch,
            space,
            snapshots,
            view: Mutex::new(view),
        }
    }

    pub(super) fn view(&self) -> MutexGuard<'_, LogView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn closed() -> io::Error {
    io::Error::other("the store is closed")
}

enum Next {
    Op(Queued),
    /// Nothing waits, but part of a purge does.
    PurgeSlice,
    Idle,
    Gone,
}

/// The log's ends as they are, or are about to be, on disk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OnDisk {
    pub(super) last: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) committed: Option<LogId>,
    /// Whether entries that were purged are still to be deleted.
    pub(super) purging: bool,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    queue: Receiver<Queued>,
    on_disk: OnDisk,
    sealed: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, queue: Receiver<Queued>, on_disk: OnDisk) -> Self {
        Self {
            shared,
            queue,
            on_disk,
            sealed: true,
        }
    }

    /// Runs until the store is closed or its last handle is gone.
    pub(super) fn run(mut self) {
        let done = loop {
            match self.next() {
                Next::Op(Queued {
                    op: Op::Close { done }, ..
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
                    op: Op::Close { done }, ..
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
        let two_phase = batch.iter().any(|q| q.op.wants_two_phases());
        let written = self.shared.latch.check().and_then(|()| self.write(&batch, two_phase));
        match self.shared.latch.watch(written) {
            Ok(on_disk) => {
                self.on_disk = on_disk;
                self.sealed = two_phase;
                self.publish(&batch);
                for Queued { op, permit } in batch {
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

    fn write(&self, batch: &[Queued], two_phase: bool) -> io::Result<OnDisk> {
        if batch.iter().any(|q| matches!(q.op, Op::Purge { .. })) {
            self.shared.space.make_room(BATCH_BYTES_MAX as u64)?;
        }
        let told = self.shared.view().committed;
        let mut after = self.on_disk;
        self.transact(two_phase, |log, meta| {
            for Queued { op, .. } in batch {
                after.apply(op, log, meta)?;
            }
            after.purge_slice(log)?;
            // Never past the log that is on disk with it.
            if told != after.committed && next_index(told) <= next_index(after.last) {
                after.committed = told;
                put(meta, key::COMMITTED, told.map(record::encode_log_id))?;
            }
            put(meta, key::LAST, after.last.map(record::encode_log_id))
        })?;
        if batch.iter().any(|q| matches!(q.op, Op::Wipe { .. })) {
            self.shared.snapshots.remove_all()?;
        }
        Ok(after)
    }

    fn transact(
        &self,
        two_phase: bool,
        change: impl FnOnce(&mut LogTable<'_>, &mut MetaTable<'_>) -> Result<(), StorageError>,
    ) -> io::Result<()> {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        database.as_ref().ok_or_else(closed)?.write(two_phase, change)
    }

    /// Shows what is on disk now to the readers.
    fn publish(&self, batch: &[Queued]) {
        let mut view = self.shared.view();
        for Queued { op, .. } in batch {
            match op {
                Op::Append { sequence, .. } => view.flushed(*sequence),
                Op::Vote { vote, .. } => view.vote = Some(*vote),
                Op::Identity { identity, .. } => view.identity = Some(identity.clone()),
                Op::Wipe { .. } => view.wipe(),
                Op::TruncateAfter { .. } | Op::Purge { .. } | Op::Close { .. } => {}
            }
        }
    }

    /// Makes the last batch certain, and the ballast again if a purge took it.
    fn seal(&mut self) {
        let sealed = self.write(&[], true);
        if let Ok(on_disk) = self.shared.latch.watch(sealed) {
            self.on_disk = on_disk;
            self.sealed = true;
            // A failure is latched and seen by the next operation.
            let _ = self.shared.latch.watch(self.shared.space.restore_ballast());
        }
    }

    fn shut_down(&mut self) -> io::Result<()> {
        let committed = self.shared.view().committed;
        if self.shared.latch.check().is_ok() && (!self.sealed || committed != self.on_disk.committed) {
            self.seal();
        }
        let database = self
            .shared
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.shared.latch.check()?;
        self.shared.latch.watch(database.map_or(Ok(()), Database::close))
    }
}

impl OnDisk {
    fn apply(&mut self, op: &Op, log: &mut LogTable<'_>, meta: &mut MetaTable<'_>) -> Result<(), StorageError> {
        match op {
            Op::Append { records, last, .. } => {
                for (index, record) in records {
                    log.insert(index, record.as_slice())?;
                }
                self.last = *last;
            }
            Op::TruncateAfter { last, .. } => {
                self.last = kept_after(self.last, self.purged, *last);
                log.retain_in(next_index(self.last).., |_, _| false)?;
            }
            Op::Purge { upto } => {
                if next_index(self.last) <= upto.index {
                    self.last = Some(*upto);
                }
                self.purged = Some(*upto);
                self.purging = true;
                put(meta, key::PURGED, Some(record::encode_log_id(*upto)))?;
            }
            Op::Vote { vote, .. } => put(meta, key::VOTE, Some(record::encode_vote(vote)))?,
            Op::Identity { identity, .. } => put(meta, key::IDENTITY, Some(record::encode(identity)))?,
            Op::Wipe { .. } => {
                log.retain(|_, _| false)?;
                for name in [key::VOTE, key::COMMITTED, key::PURGED, key::LAST, key::IDENTITY] {
                    meta.remove(name)?;
                }
                *self = Self::default();
            }
            Op::Close { .. } => {}
        }
        Ok(())
    }

    /// Deletes the oldest of the purged entries.
    fn purge_slice(&mut self, log: &mut LogTable<'_>) -> Result<(), StorageError> {
        use redb::ReadableTable;
        let Some(upto) = self.purged.filter(|_| self.purging).map(|p| p.index) else {
            return Ok(());
        };
        let first = log.first()?.map(|(index, _)| index.value());
        let Some(first) = first.filter(|first| *first <= upto) else {
            self.purging = false;
            return Ok(());
        };
        let end = upto.min(first + (PURGE_SLICE - 1));
        log.retain_in(..=end, |_, _| false)?;
        self.purging = end < upto;
        Ok(())
    }
}

/// Writes a value, or removes it.
fn put(
    meta: &mut MetaTable<'_>,
    name: &str,
    record: Option<Result<Vec<u8>, postcard::Error>>,
) -> Result<(), StorageError> {
    match record {
        None => meta.remove(name)?,
        Some(record) => {
            let record = record.map_err(|e| StorageError::Io(io::Error::other(e)))?;
            meta.insert(name, record.as_slice())?
        }
    };
    Ok(())
}
