//! The store: a data directory that is opened once, is shared by handles, and is sealed when it is
//! closed.

use super::blocking::BlockingExecutor;
use super::db::durable_state::DurableState;
use super::error::OpenError;
use super::identity::Identity;
use super::log::size_index::LogSizeIndex;
use super::log::view::LogView;
use super::log_target;
use super::open::{Opened, open_directory};
use super::request::{Callback, QueuedRequest, ResultSender, WriteRequest, closed};
use super::snapshots::directory::Snapshots;
use super::space::SpaceState;
use super::vfs::Vfs;
use super::writer;
use super::writer::group_commit::GroupCommitWriter;
use super::writer::shared::WriterState;
use crate::types::{Entry, LogId, Vote};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};

/// Maximum number of bytes in the writer's queue. When the queue is full, an append waits, and new
/// proposals then wait for the append.
const QUEUE_BYTES_MAX: usize = 16 << 20;
/// Minimum number of bytes that a request counts for in the queue. This minimum also limits the
/// number of queued requests.
const REQUEST_BYTES_MIN: usize = 4 << 10;
const QUEUE_REQUESTS_MAX: usize = QUEUE_BYTES_MAX / REQUEST_BYTES_MIN;

/// A data directory: the log, the vote, the identity and the snapshots of one node.
///
/// Handles are cheap to clone, and every [`super::LogStore`] is a handle too. Dropping the last
/// handle seals the last batch (by a two-phase commit), so that another process can open the
/// directory.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<StoreInner>,
}

#[derive(Debug)]
pub(crate) struct StoreInner {
    pub(crate) shared: Arc<WriterState>,
    /// The writer's queue; `None` only while the last handle is being dropped.
    queue: Option<SyncSender<QueuedRequest>>,
    permits: Arc<Semaphore>,
    sequence: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Wakes the writer if it runs as a task.
    wake: Option<Arc<Notify>>,
    /// The last log id of the directory when it was opened; see [`Store::reach_at_open`].
    reach: Option<LogId>,
}

impl Store {
    /// Opens a data directory, creating it if necessary. Reads and checks all content of the
    /// directory. This function blocks.
    ///
    /// # Errors
    /// Returns an error if the directory is used by another process or is unusable, or if its
    /// content cannot be trusted. The error names the file and the remedy.
    pub fn open(vfs: Arc<dyn Vfs>, dir: &Path) -> Result<Self, OpenError> {
        Self::open_with(vfs, dir, BlockingExecutor::Threads)
    }

    /// Opens a data directory like [`Store::open`], with the given executor for blocking work. With
    /// [`BlockingExecutor::Tasks`], this function must be called on the runtime that is to run the
    /// tasks.
    ///
    /// # Errors
    /// Same as [`Store::open`].
    pub fn open_with(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        executor: BlockingExecutor,
    ) -> Result<Self, OpenError> {
        let opened = open_directory(vfs, dir, executor.clone())?;
        let reach = opened.reach();
        let Opened {
            database,
            wal,
            recovered,
            lock,
            fail_stop,
            space,
            snapshots,
            covered: _,
        } = opened;
        let size_index = database.size_index().clone();
        let on_disk = DurableState::new(&recovered, size_index.appended_bytes());
        let shared = Arc::new(WriterState::new(
            database,
            fail_stop.clone(),
            space,
            snapshots,
            LogView::new(recovered, size_index),
        ));
        let (queue, receiver) = sync_channel(QUEUE_REQUESTS_MAX);
        let writer = GroupCommitWriter::new(Arc::clone(&shared), receiver, on_disk, wal);
        let (thread, wake) = match executor {
            BlockingExecutor::Threads => {
                let thread = writer::thread::spawn(writer, lock, fail_stop).map_err(|source| {
                    OpenError::NotWritable {
                        dir: dir.to_path_buf(),
                        source,
                    }
                })?;
                (Some(thread), None)
            }
            BlockingExecutor::Tasks(disk) => {
                let wake = Arc::new(Notify::new());
                tokio::spawn(writer.run_as_task(wake.clone(), disk, lock));
                (None, Some(wake))
            }
        };
        let inner = StoreInner {
            shared,
            queue: Some(queue),
            permits: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
            sequence: AtomicU64::new(0),
            thread: Mutex::new(thread),
            wake,
            reach,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Returns the identity of the directory; `None` when it is new or was wiped.
    pub fn identity(&self) -> Option<Identity> {
        self.inner.shared.view().identity.clone()
    }

    /// Writes the identity of the directory. It is durable on return.
    ///
    /// # Errors
    /// Fails if the storage fails or has failed before. The process must stop after this error.
    pub async fn save_identity(&self, identity: &Identity) -> io::Result<()> {
        let identity = identity.clone();
        self.inner
            .ask(|done| WriteRequest::Identity { identity, done })
            .await
    }

    /// Returns a handle to the snapshots.
    pub fn snapshots(&self) -> Snapshots {
        self.inner.shared.snapshots.clone()
    }

    /// Returns a receiver for the first storage failure, with the file and the system's reason.
    /// Once a failure is set, nothing more is acknowledged, and the process must stop.
    pub fn failed(&self) -> watch::Receiver<Option<Arc<io::Error>>> {
        self.inner.shared.fail_stop.subscribe()
    }

    /// Returns the executor on which blocking work for this store runs.
    pub fn work(&self) -> BlockingExecutor {
        self.inner.shared.snapshots.work().clone()
    }

    /// Returns the amount of space that is left for the log. Blocks briefly, since it queries the
    /// file system.
    ///
    /// # Errors
    /// Returns the system's error.
    pub fn space(&self) -> io::Result<SpaceState> {
        self.inner.shared.space.state(self.log_bytes())
    }

    /// Returns the size of the log records on disk, in bytes.
    pub fn log_bytes(&self) -> u64 {
        self.inner.shared.view().log_bytes
    }

    /// Returns the map from log indexes to cumulative log size.
    pub fn log_growth(&self) -> LogSizeIndex {
        self.inner.shared.view().size_index.clone()
    }

    /// Returns the id of the last log entry, which is possibly not on disk yet.
    pub fn last_log_id(&self) -> Option<LogId> {
        self.inner.shared.view().last
    }

    /// Returns the last log id of the log or of the newest snapshot, whichever was higher when the
    /// directory was opened.
    pub fn reach_at_open(&self) -> Option<LogId> {
        self.inner.reach
    }

    /// Returns the vote on disk.
    pub fn vote(&self) -> Option<Vote> {
        self.inner.shared.view().vote
    }

    /// Returns the index of the last entry on disk, and the first index that the log may still
    /// hold.
    #[cfg(feature = "sim")]
    pub fn extent_on_disk(&self) -> (Option<u64>, u64) {
        let view = self.inner.shared.view();
        (
            view.last_on_disk.map(|id| id.index),
            super::log::bounds::next_index(view.purged),
        )
    }

    /// Returns the entries of a range, from memory or read from disk on the caller's thread.
    /// Returns no entries from disk when they no longer exist or when the store is closed.
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

    /// Returns whether there is neither a log nor a vote.
    pub fn is_pristine(&self) -> bool {
        let view = self.inner.shared.view();
        view.last.is_none() && view.vote.is_none()
    }

    /// Removes the log, the vote, the identity and the snapshots. The removal is durable on return.
    /// The caller must then save a new identity, because the old one must never be used again. No
    /// other request may write to the store until `wipe` returns.
    ///
    /// # Errors
    /// Fails if the storage fails or has failed before. The process must stop after this error.
    pub async fn wipe(&self) -> io::Result<()> {
        self.inner.ask(|done| WriteRequest::Wipe { done }).await
    }

    /// Closes the store: seals the last batch and releases the directory. Later calls on other
    /// handles fail. A failure is reported through [`Store::failed`].
    pub async fn close(self) {
        if let Err(error) = self.inner.stop_writer().await {
            tracing::warn!(
                target: log_target::STORE,
                %error, "the store was not closed cleanly"
            );
        }
        let thread = self
            .inner
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // The writer has already replied, so its thread ends without waiting for anything.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl StoreInner {
    /// Waits until the queue has room for this number of bytes.
    pub(crate) async fn permit(&self, bytes: usize) -> io::Result<OwnedSemaphorePermit> {
        let share = bytes.clamp(REQUEST_BYTES_MIN, QUEUE_BYTES_MAX) as u32;
        Arc::clone(&self.permits)
            .acquire_many_owned(share)
            .await
            .map_err(io::Error::other)
    }

    /// Queues a request and waits until it is on disk.
    pub(crate) async fn ask(
        &self,
        request: impl FnOnce(ResultSender) -> WriteRequest,
    ) -> io::Result<()> {
        let permit = self.permit(0).await?;
        let answer = self.send_with(permit, |_, done| request(done))?;
        answer.await.map_err(|_| closed())?
    }

    /// Stops the writer, even after a failure, so that the directory is released.
    async fn stop_writer(&self) -> io::Result<()> {
        let permit = self.permit(0).await?;
        let (done, answer) = oneshot::channel();
        self.send(QueuedRequest {
            request: WriteRequest::Close { done },
            permit,
        })?;
        answer.await.map_err(|_| closed())?
    }

    /// Changes the view and queues the request that writes the change to disk. Both happen under
    /// one lock, so that view and disk change in the same order.
    pub(crate) fn send_with(
        &self,
        permit: OwnedSemaphorePermit,
        request: impl FnOnce(&mut LogView, ResultSender) -> WriteRequest,
    ) -> io::Result<oneshot::Receiver<io::Result<()>>> {
        let (done, answer) = oneshot::channel();
        let mut view = self.shared.view();
        self.shared.fail_stop.check()?;
        let request = request(&mut view, done);
        self.send(QueuedRequest { request, permit })?;
        Ok(answer)
    }

    /// Appends entries: makes them visible to readers and queues them. The callback runs when they
    /// are on disk.
    pub(crate) async fn append(
        &self,
        entries: Vec<(Entry, Vec<u8>)>,
        callback: Callback,
    ) -> io::Result<()> {
        let permit = self
            .permit(entries.iter().map(|(_, record)| record.len()).sum())
            .await?;
        let mut view = self.shared.view();
        self.shared.fail_stop.check()?;
        // An empty log may start at any index: openraft starts at 0, its test suite at 1.
        let start = view
            .last
            .map_or(first_index(&entries), |_| view.next_index());
        let holes = entries
            .iter()
            .zip(start..)
            .find(|((e, _), next)| e.log_id.index != *next);
        if let Some(((entry, _), next)) = holes {
            let text = format!(
                "log index {} was appended where {next} was expected",
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
        self.send(QueuedRequest {
            request: WriteRequest::Append {
                records,
                last,
                sequence,
                callback,
            },
            permit,
        })
    }

    /// Queues a request. Never waits, because a permit guarantees space in the queue.
    fn send(&self, request: QueuedRequest) -> io::Result<()> {
        self.queue
            .as_ref()
            .ok_or_else(closed)?
            .try_send(request)
            .map_err(|_| closed())?;
        if let Some(wake) = &self.wake {
            wake.notify_one();
        }
        Ok(())
    }
}

fn first_index(entries: &[(Entry, Vec<u8>)]) -> u64 {
    entries.first().map_or(0, |(entry, _)| entry.log_id.index)
}

impl Drop for StoreInner {
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
            // The writer seals the last batch before its thread ends and the directory is released.
            let _ = thread.join();
        }
    }
}
