//! The queue of writes. Writes that arrive while a batch is in flight form the next batch.
//!
//! - One batch of this node is in flight at a time, so writes of one `node.id` keep their order of
//!   arrival.
//! - A write that may have been applied is never proposed again.
//! - A write whose client no longer waits is dropped by the task that processes the write.

use super::batcher::{AdaptiveBatcher, BatchDelay};
use super::entry_size::size_of;
use crate::clock::Instant;
use crate::raft::transport::WriteResult;
use crate::registry::Command;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Maximum number of writes that wait for a batch. A further write is rejected at once, and is
/// certainly not applied.
const MAX_WAITING_WRITES: usize = 20_000;
/// Maximum total size of the undecided writes. The HTTP server limits the writes of this node's own
/// clients. A leader needs this limit too, because it also takes the writes of all other nodes, and
/// keeps writes whose clients no longer wait.
const MAX_WAITING_BYTES: usize = 128 << 20;
/// Maximum size of the commands in one entry or one forwarded batch. A larger entry or batch would
/// delay replication on a slow link.
const MAX_BATCH_BYTES: usize = 256 << 10;
/// Maximum number of commands in one entry, so that no entry takes long to apply.
const MAX_BATCH_COMMANDS: usize = 4_096;
/// Maximum time that a batch waits for the expected writes: as long as the last batch took, because
/// a write that misses a batch waits about that long. The wait is at most `max`, because a batch
/// that takes longer is delayed by a disk or a network and not by busy processors.
const BATCH_DELAY: BatchDelay = BatchDelay {
    batches: 1,
    max: Duration::from_millis(5),
};
/// Time reserved for an answer on its way to the client. A write is sent only if its client waits
/// for longer than this time. Otherwise the answer would miss the deadline.
pub(crate) const ANSWER_MARGIN: Duration = Duration::from_millis(20);

/// The handle through which commands are proposed.
#[derive(Clone)]
pub(crate) struct WriteQueue {
    queue: mpsc::Sender<PendingWrite>,
    /// Total size of all undecided writes.
    bytes: Arc<AtomicUsize>,
}

/// One command and the client that waits for it.
pub(crate) struct PendingWrite {
    pub(crate) command: Command,
    pub(crate) deadline: Instant,
    reply: oneshot::Sender<WriteResult>,
    _bytes: QueuedBytes,
}

/// The bytes that an undecided write adds to the total size; they are subtracted on drop.
struct QueuedBytes {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl QueuedBytes {
    /// Reserves the bytes, and returns whether the total is still within the limit. If no other
    /// write is undecided, a write of any size fits.
    fn take(all: &Arc<AtomicUsize>, bytes: usize) -> (QueuedBytes, bool) {
        let before = all.fetch_add(bytes, Ordering::Relaxed);
        let queued = QueuedBytes {
            all: all.clone(),
            bytes,
        };
        (queued, before == 0 || before + bytes <= MAX_WAITING_BYTES)
    }
}

impl Drop for QueuedBytes {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl PendingWrite {
    /// Sends the result to the client that waits for it.
    pub(crate) fn answer(self, result: WriteResult) {
        // An error means that the client has stopped waiting.
        let _ = self.reply.send(result);
    }
}

impl WriteQueue {
    /// Returns the number of writes that wait for a batch.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Creates an empty queue, and the worker that forms its batches.
    pub(crate) fn new() -> (WriteQueue, WriteWorker) {
        let (queue, waiting) = mpsc::channel(MAX_WAITING_WRITES);
        let bytes = Arc::default();
        (
            WriteQueue { queue, bytes },
            WriteWorker {
                waiting,
                taken: Vec::new(),
                batcher: AdaptiveBatcher::new(BATCH_DELAY),
            },
        )
    }

    /// Queues a command for the next batch, in order of arrival. The returned receiver yields the
    /// command's result.
    pub(crate) fn propose(
        &self,
        command: Command,
        deadline: Instant,
    ) -> oneshot::Receiver<WriteResult> {
        let (reply, result) = oneshot::channel();
        let (queued_bytes, fits) = QueuedBytes::take(&self.bytes, size_of(&command));
        let write = PendingWrite {
            command,
            deadline,
            reply,
            _bytes: queued_bytes,
        };
        let queued = match fits {
            true => self
                .queue
                .try_send(write)
                .map_err(|rejected| match rejected {
                    mpsc::error::TrySendError::Full(write)
                    | mpsc::error::TrySendError::Closed(write) => write,
                }),
            false => Err(write),
        };
        if let Err(write) = queued {
            write.answer(WriteResult::NotApplied(
                "too many writes are waiting on this node".to_owned(),
            ));
        }
        result
    }

    /// Proposes a command at once, and returns a future that waits for the result until shortly
    /// after `deadline`. The future does not hold the command, since thousands may wait.
    pub(crate) fn write(
        &self,
        command: Command,
        deadline: Instant,
    ) -> impl Future<Output = WriteResult> + use<> {
        let result = self.propose(command, deadline);
        async move {
            match tokio::time::timeout_at(deadline + ANSWER_MARGIN, result).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => WriteResult::Unknown("this node is stopping".to_owned()),
                Err(_) => WriteResult::Unknown(
                    "no majority of the group confirmed the write in time".to_owned(),
                ),
            }
        }
    }
}

/// The receiving half of the queue, to be driven by [`WriteWorker::run`].
pub(crate) struct WriteWorker {
    waiting: mpsc::Receiver<PendingWrite>,
    /// Writes already taken from the queue, for the next batch.
    taken: Vec<PendingWrite>,
    batcher: AdaptiveBatcher,
}

impl WriteWorker {
    /// Passes one batch after another to `send`, until the group is `stopping`.
    pub(crate) async fn run<F>(
        mut self,
        send: impl Fn(Vec<PendingWrite>) -> F,
        stopping: impl Future<Output = ()>,
    ) where
        F: Future<Output = Completed>,
    {
        let mut stopping = pin!(stopping);
        loop {
            tokio::select! {
                batch = self.gather() => match batch {
                    Some(batch) => {
                        let completed = send(batch).await;
                        // Count the waiting writes before answering, since an answered client may
                        // send its next write immediately.
                        let waiting = self.taken.len() + self.waiting.len();
                        self.batcher.on_complete(completed.len(), waiting);
                        answer(completed);
                    }
                    None => return,
                },
                () = &mut stopping => return,
            }
        }
    }

    /// Returns the next batch. The batch has the waiting writes, the writes that arrive once the
    /// runtime has read its sockets, and the expected writes. The busier the node is, the larger
    /// the batch. Cancel-safe.
    async fn gather(&mut self) -> Option<Vec<PendingWrite>> {
        if self.taken.is_empty() {
            let first = self.waiting.recv().await?;
            self.taken.push(first);
        }
        tokio::task::yield_now().await;
        let mut size = BatchSize::default();
        let (taken, waiting) = (&mut self.taken, &mut self.waiting);
        let is_full = |taken: &[PendingWrite]| size.is_full(taken);
        self.batcher.fill(taken, waiting, is_full).await;
        // `size` may not have counted the last arrivals yet.
        size.is_full(&self.taken);
        let rest = self.taken.split_off(size.fitting.max(1));
        Some(std::mem::replace(&mut self.taken, rest))
    }
}

/// The number and the size of the writes collected for a batch, and the number that fit into it.
#[derive(Default)]
struct BatchSize {
    counted: usize,
    bytes: usize,
    fitting: usize,
}

impl BatchSize {
    /// Measures the writes added since the last call, and returns whether the batch is full.
    fn is_full(&mut self, writes: &[PendingWrite]) -> bool {
        for write in writes.get(self.counted..).unwrap_or_default() {
            self.counted += 1;
            self.bytes += size_of(&write.command);
            if self.bytes <= MAX_BATCH_BYTES {
                self.fitting = self.counted;
            }
        }
        self.counted >= MAX_BATCH_COMMANDS || self.bytes >= MAX_BATCH_BYTES
    }
}

/// Writes with their results, ready to be answered.
pub(crate) type Completed = Vec<(PendingWrite, WriteResult)>;

/// Assigns the same result to all writes.
pub(crate) fn all(batch: Vec<PendingWrite>, result: &WriteResult) -> Completed {
    batch
        .into_iter()
        .map(|write| (write, result.clone()))
        .collect()
}

/// Sends each result to the client that waits for it.
pub(crate) fn answer(completed: Completed) {
    for (write, result) in completed {
        write.answer(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn name() -> String {
        "n".repeat(1_000)
    }

    fn renewal() -> Command {
        Command::Renew {
            seen: u64::MAX,
            node_id: name(),
            digest: u128::MAX,
        }
    }

    fn encoded(command: &Command) -> usize {
        postcard::to_stdvec(command).expect("it encodes").len()
    }

    /// A write that exceeds the total size limit of the waiting writes is rejected as certainly not
    /// applied, long before the number of waiting writes reaches its limit. Decided writes free
    /// their space.
    #[tokio::test]
    async fn waiting_writes_keep_a_limit_in_bytes() {
        let large = || Command::Withdraw {
            seen: 0,
            node_id: "n".repeat(8 << 20),
        };
        let (writes, mut batches) = WriteQueue::new();
        let deadline = clock::now() + Duration::from_secs(1);
        let mut waiting: Vec<_> = (0..15).map(|_| writes.propose(large(), deadline)).collect();
        let mut refused = [
            writes.propose(large(), deadline),
            writes.propose(large(), deadline),
        ];
        assert!(matches!(
            refused[1].try_recv(),
            Ok(WriteResult::NotApplied(_))
        ));
        assert!(waiting.iter_mut().all(|result| result.try_recv().is_err()));
        let batch = batches.gather().await.expect("writes wait");
        answer(all(batch, &WriteResult::NotApplied(String::new())));
        let mut later = writes.propose(renewal(), deadline);
        assert!(later.try_recv().is_err(), "there is room again");
    }

    /// A batch of renewals of nodes with long names is limited by [`MAX_BATCH_BYTES`], at far fewer
    /// commands than [`MAX_BATCH_COMMANDS`]. The first renewal that does not fit begins the next
    /// batch.
    #[tokio::test]
    async fn a_batch_keeps_its_limit_in_bytes() {
        let (writes, mut batches) = WriteQueue::new();
        let deadline = clock::now() + Duration::from_secs(1);
        let waiting: Vec<_> = (0..600)
            .map(|_| writes.propose(renewal(), deadline))
            .collect();
        let mut taken = 0;
        while taken < waiting.len() {
            let batch = batches.gather().await.expect("writes wait");
            let bytes: usize = batch.iter().map(|write| encoded(&write.command)).sum();
            assert!(bytes <= MAX_BATCH_BYTES, "{bytes}");
            taken += batch.len();
        }
        assert_eq!(taken, waiting.len());
    }
}
