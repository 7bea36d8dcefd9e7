//! A data directory: opened once, shared by handles, closed in order.

use super::blocking::Work;
use super::db::durable_state::OnDisk;
use super::error::OpenError;
use super::fail_stop::Latch;
use super::identity::Identity;
use super::log::size_index::LogGrowth;
use super::log::view::LogView;
use super::log_target;
use super::open::{Opened, open_directory};
use super::request::{Callback, Done, Op, Queued, closed};
use super::snapshots::directory::Snapshots;
use super::space::SpaceState;
use super::vfs::{Held, Vfs};
use super::writer::group_commit::Writer;
use super::writer::shared::Shared;
use crate::storage::types::{Entry, LogId, Vote};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};

/// What may wait for the writer. More makes the appender wait, and it in turn those who propose.
const QUEUE_BYTES_MAX: usize = 16 << 20;
/// The least that an operation counts for, so that the number of those that wait is limited too.
const OP_BYTES_MIN: usize = 4 << 10;
const QUEUE_OPS_MAX: usize = QUEUE_BYTES_MAX / OP_BYTES_MIN;

/// A data directory: the log, the vote, the identity and the snapshots of one node.
///
/// Cheap to clone. When the last handle is gone, so also those of [`super::LogStore`], the directory is
/// sealed and free for another process.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    /// `None` only while the last handle is dropped.
    queue: Option<SyncSender<Queued>>,
    room: Arc<Semaphore>,
    sequence: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Wakes the writer where it is a task.
    wake: Option<Arc<Notify>>,
    /// How far the directory went when it was opened.
    reach: Option<LogId>,
}

impl Store {
    /// Opens a data directory, or makes it. Blocks. Everything in it is read and checked.
    ///
    /// # Errors
    /// When another process uses it, when it cannot be used, or when what it holds cannot be
    /// trusted; the error names the file and the way out.
    pub fn open(vfs: Arc<dyn Vfs>, dir: &Path) -> Result<Self, OpenError> {
        Self::open_with(vfs, dir, Work::Threads)
    }

    /// As [`Store::open`], with a choice of where the blocking work runs. With [`Work::Tasks`] it must be called on
    /// the runtime that they are to run on.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_with(vfs: Arc<dyn Vfs>, dir: &Path, work: Work) -> Result<Self, OpenError> {
        let opened = open_directory(vfs, dir, work.clone())?;
        let reach = opened.reach();
        let Opened {
            database,
            journal,
            held,
            lock,
            latch,
            space,
            snapshots,
            covered: _,
        } = opened;
        let growth = database.growth().clone();
        let on_disk = OnDisk::new(&held, growth.appended_bytes());
        let shared = Arc::new(Shared::new(
            database,
            latch.clone(),
            space,
            snapshots,
            LogView::new(held, growth),
        ));
        let (queue, receiver) = sync_channel(QUEUE_OPS_MAX);
        let writer = Writer::new(Arc::clone(&shared), receiver, on_disk, journal);
        let (thread, wake) = match work {
            Work::Threads => {
                let thread = writer_thread(writer, lock, latch).map_err(|source| {
                    OpenError::NotWritable {
                        dir: dir.to_path_buf(),
                        source,
                    }
                })?;
                (Some(thread), None)
            }
            Work::Tasks(pace) => {
                let wake = Arc::new(Notify::new());
                tokio::spawn(writer.run_as_task(wake.clone(), pace, lock));
                (None, Some(wake))
            }
        };
        let inner = Inner {
            shared,
            queue: Some(queue),
            room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
            sequence: AtomicU64::new(0),
            thread: Mutex::new(thread),
            wake,
            reach,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Who the directory is; `None` when it is new or was emptied.
    pub fn identity(&self) -> Option<Identity> {
        self.inner.shared.view().identity.clone()
    }

    /// Writes who the directory is; durable on return.
    ///
    /// # Errors
    /// When storage failed, now or before; the process must stop.
    pub async fn save_identity(&self, identity: &Identity) -> io::Result<()> {
        let identity = identity.clone();
        self.inner.ask(|done| Op::Identity { identity, done }).await
    }

    /// The snapshots.
    pub fn snapshots(&self) -> Snapshots {
        self.inner.shared.snapshots.clone()
    }

    /// The first storage failure, with the file and the system's reason. Once it is there nothing
    /// more is acknowledged, and the process must stop.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.inner.shared.latch.subscribe()
    }

    /// Where blocking work for it runs.
    pub fn work(&self) -> Work {
        self.inner.shared.snapshots.work().clone()
    }

    /// How much space is left for the log. Blocks for moments: it asks the file system.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn space(&self) -> io::Result<SpaceState> {
        self.inner.shared.space.state(self.log_bytes())
    }

    /// The records of the log on disk, in bytes.
    pub fn log_bytes(&self) -> u64 {
        self.inner.shared.view().log_bytes
    }

    /// Where in the log how many bytes had come.
    pub fn log_growth(&self) -> LogGrowth {
        self.inner.shared.view().growth.clone()
    }

    /// The last entry of the log, which may not be on disk yet.
    pub fn last_log_id(&self) -> Option<LogId> {
        self.inner.shared.view().last
    }

    /// How far the directory went when it was opened: the last log id of its log, or of its
    /// snapshot where that goes further.
    pub fn reach_at_open(&self) -> Option<LogId> {
        self.inner.reach
    }

    /// The vote on disk.
    pub fn vote(&self) -> Option<Vote> {
        self.inner.shared.view().vote
    }

    /// The index of the last entry on disk, and the first index that the log may still hold.
    #[cfg(feature = "sim")]
    pub fn extent_on_disk(&self) -> (Option<u64>, u64) {
        let view = self.inner.shared.view();
        (
            view.last_on_disk.map(|id| id.index),
            super::log::bounds::next_index(view.purged),
        )
    }

    /// Entries of a range: from memory, or read on the caller's thread. None when they are gone or the store is closed.
    #[cfg(feature = "sim")]
    pub fn entries_now(&self, range: std::ops::Range<u64>) -> Vec<Entry> {
        let shared = &self.inner.shared;
        let plan = shared.view().plan(range, usize::MAX);
        let database = shared
            .database
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let read = database
            .as_ref()
            .filter(|_| !plan.on_disk.is_empty())
            .and_then(|database| database.read(plan.on_disk, usize::MAX).ok());
        let on_disk = read.unwrap_or_default().into_iter();
        on_disk.chain(plan.cached).map(|(entry, _)| entry).collect()
    }

    /// Whether there is no log and no vote.
    pub fn is_pristine(&self) -> bool {
        let view = self.inner.shared.view();
        view.last.is_none() && view.vote.is_none()
    }

    /// Empties the directory: log, vote, identity and snapshots; durable on return. The caller
    /// then saves a new identity, for the old one must not come back. Nothing else may write
    /// meanwhile.
    ///
    /// # Errors
    /// When storage failed, now or before; the process must stop.
    pub async fn wipe(&self) -> io::Result<()> {
        self.inner.ask(|done| Op::Wipe { done }).await
    }

    /// Seals what was written last and frees the directory. Later calls on other handles fail.
    /// A failure is in [`Store::failed`].
    pub async fn close(self) {
        if let Err(error) = self.inner.stop_writer().await {
            tracing::warn!(
                target: log_target::STORE,
                %error, "the store was not closed in order"
            );
        }
        let thread = self
            .inner
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // It has answered, so it ends without waiting for anything.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Inner {
    /// Waits for room in the queue for so many bytes.
    pub(crate) async fn permit(&self, bytes: usize) -> io::Result<OwnedSemaphorePermit> {
        let share = bytes.clamp(OP_BYTES_MIN, QUEUE_BYTES_MAX) as u32;
        Arc::clone(&self.room)
            .acquire_many_owned(share)
            .await
            .map_err(io::Error::other)
    }

    /// Queues an operation and waits until it is on disk.
    pub(crate) async fn ask(&self, op: impl FnOnce(Done) -> Op) -> io::Result<()> {
        let permit = self.permit(0).await?;
        let answer = self.send_with(permit, |_, done| op(done))?;
        answer.await.map_err(|_| closed())?
    }

    /// Ends the writer, also after a failure: the directory is to be free.
    async fn stop_writer(&self) -> io::Result<()> {
        let permit = self.permit(0).await?;
        let (done, answer) = oneshot::channel();
        self.send(Queued {
            op: Op::Close { done },
            permit,
        })?;
        answer.await.map_err(|_| closed())?
    }

    /// Changes the view and queues the operation that brings it to disk, as one step, so that
    /// both change in the same order.
    pub(crate) fn send_with(
        &self,
        permit: OwnedSemaphorePermit,
        op: impl FnOnce(&mut LogView, Done) -> Op,
    ) -> io::Result<oneshot::Receiver<io::Result<()>>> {
        let (done, answer) = oneshot::channel();
        let mut view = self.shared.view();
        self.shared.latch.check()?;
        let op = op(&mut view, done);
        self.send(Queued { op, permit })?;
        Ok(answer)
    }

    /// Shows the entries to readers and queues them; the callback runs when they are on disk.
    pub(crate) async fn append(
        &self,
        entries: Vec<(Entry, Vec<u8>)>,
        callback: Callback,
    ) -> io::Result<()> {
        let permit = self
            .permit(entries.iter().map(|(_, record)| record.len()).sum())
            .await?;
        let mut view = self.shared.view();
        self.shared.latch.check()?;
        // openraft's suite starts logs at 1, openraft itself at 0.
        let start = view
            .last
            .map_or(first_index(&entries), |_| view.next_index());
        let holes = entries
            .iter()
            .zip(start..)
            .find(|((e, _), next)| e.log_id.index != *next);
        if let Some(((entry, _), next)) = holes {
            let text = format!(
                "log index {} was appended where {next} follows",
                entry.log_id.index
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let last = entries
            .last()
            .map_or(view.last, |(entry, _)| Some(entry.log_id));
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let mut records = Vec::with_capacity(entries.len());
        for (entry, record) in entries {
            let index = entry.log_id.index;
            view.append(entry, record.len(), sequence);
            records.push((index, record));
        }
        self.send(Queued {
            op: Op::Append {
                records,
                last,
                sequence,
                callback,
            },
            permit,
        })
    }

    /// Never waits: a permit is a place in the queue.
    fn send(&self, queued: Queued) -> io::Result<()> {
        self.queue
            .as_ref()
            .ok_or_else(closed)?
            .try_send(queued)
            .map_err(|_| closed())?;
        if let Some(wake) = &self.wake {
            wake.notify_one();
        }
        Ok(())
    }
}

fn writer_thread(writer: Writer, lock: Box<dyn Held>, latch: Latch) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(move || {
            // In a build that unwinds, a panic must not look like a store that takes its time.
            if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
                latch.set(&io::Error::other("the log writer panicked"));
            }
            drop(lock);
        })
}

fn first_index(entries: &[(Entry, Vec<u8>)]) -> u64 {
    entries.first().map_or(0, |(entry, _)| entry.log_id.index)
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(wake) = &self.wake {
            wake.notify_one();
        }
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // The writer has one seal left to do; after it the directory is free.
            let _ = thread.join();
        }
    }
}
