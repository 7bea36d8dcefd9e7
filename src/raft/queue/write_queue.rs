//! The queue of writes: what has arrived while the last batch was on its way becomes the next batch.
//!
//! - one batch of this node is in flight at a time, so writes of one `node.id` keep their order of arrival.
//! - a write that may have been applied is never proposed again.
//! - whoever holds a write drops it once its client no longer waits.

use super::batcher::{Crowd, Patience};
use super::entry_size::size_of;
use crate::clock::Instant;
use crate::raft::transport::WriteResult;
use crate::registry::Command;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Writes waiting for a batch. Past it a write is refused at once and surely not applied.
const MAX_WAITING_WRITES: usize = 20_000;
/// What they may take together. The wire bounds what its clients send to this node; a leader takes
/// the writes of all nodes, and those of clients that no longer wait.
const MAX_WAITING_BYTES: usize = 128 << 20;
/// Maximum bytes of the commands of one entry or one forward: more would hold up replication on a
/// slow link.
const MAX_BATCH_BYTES: usize = 256 << 10;
/// The commands of one entry by count, so that applying it stays short.
const MAX_BATCH_COMMANDS: usize = 4_096;
/// Who misses a batch waits for as long as it takes. One that took longer than this waited for a disk or a network, and not for its turn
/// on a processor.
const PATIENCE: Patience = Patience {
    batches: 1,
    most: Duration::from_millis(5),
};
/// A write whose client waits for less than this is not sent any more: it could only come late.
pub(crate) const TOO_LATE: Duration = Duration::from_millis(20);

/// The handle through which commands are proposed.
#[derive(Clone)]
pub(crate) struct Writes {
    queue: mpsc::Sender<Write>,
    /// What all writes take that are not decided.
    bytes: Arc<AtomicUsize>,
}

/// One command with the client that waits for it.
pub(crate) struct Write {
    pub(crate) command: Command,
    pub(crate) deadline: Instant,
    reply: oneshot::Sender<WriteResult>,
    _room: Room,
}

/// What a write takes of the bytes of all; given back when dropped.
struct Room {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    /// Takes it, and says whether all of them still fit.
    fn take(all: &Arc<AtomicUsize>, bytes: usize) -> (Room, bool) {
        let before = all.fetch_add(bytes, Ordering::Relaxed);
        let room = Room {
            all: all.clone(),
            bytes,
        };
        (room, before == 0 || before + bytes <= MAX_WAITING_BYTES)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Write {
    pub(crate) fn answer(self, result: WriteResult) {
        // Whoever has stopped waiting needs no answer.
        let _ = self.reply.send(result);
    }
}

impl Writes {
    /// How many wait for a batch.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    pub(crate) fn new() -> (Writes, WritesToRun) {
        let (queue, waiting) = mpsc::channel(MAX_WAITING_WRITES);
        let bytes = Arc::default();
        (
            Writes { queue, bytes },
            WritesToRun {
                waiting,
                held: Vec::new(),
                crowd: Crowd::new(PATIENCE),
            },
        )
    }

    /// Queues a command in order of arrival. The receiver gets what came of it.
    pub(crate) fn propose(
        &self,
        command: Command,
        deadline: Instant,
    ) -> oneshot::Receiver<WriteResult> {
        let (reply, result) = oneshot::channel();
        let (room, fits) = Room::take(&self.bytes, size_of(&command));
        let write = Write {
            command,
            deadline,
            reply,
            _room: room,
        };
        let queued = match fits {
            true => self.queue.try_send(write).map_err(|refused| match refused {
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

    /// Proposes a command and waits for what came of it, a little past its deadline.
    pub(crate) async fn write(&self, command: Command, deadline: Instant) -> WriteResult {
        let result = self.propose(command, deadline);
        match tokio::time::timeout_at(deadline + TOO_LATE, result).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => WriteResult::Unknown("this node is stopping".to_owned()),
            Err(_) => WriteResult::Unknown(
                "no majority of the group confirmed the write in time".to_owned(),
            ),
        }
    }
}

/// The receiving half, to be driven by [`WritesToRun::run`].
pub(crate) struct WritesToRun {
    waiting: mpsc::Receiver<Write>,
    /// Taken from the queue, for the next batch.
    held: Vec<Write>,
    crowd: Crowd,
}

impl WritesToRun {
    /// Has batch after batch sent by `send`, until the group is `stopping`.
    pub(crate) async fn run<F>(
        mut self,
        send: impl Fn(Vec<Write>) -> F,
        stopping: impl Future<Output = ()>,
    ) where
        F: Future<Output = Decided>,
    {
        let mut stopping = pin!(stopping);
        loop {
            tokio::select! {
                batch = self.gather() => match batch {
                    Some(batch) => {
                        let decided = send(batch).await;
                        // Counted before, since whoever is answered may be back at once.
                        let waiting = self.held.len() + self.waiting.len();
                        self.crowd.answered(decided.len(), waiting);
                        answer(decided);
                    }
                    None => return,
                },
                () = &mut stopping => return,
            }
        }
    }

    /// The next batch: those who wait, those who come as soon as the runtime has read what its sockets hold, and those who are
    /// expected. The busier it is, the more go along. Cancel-safe.
    async fn gather(&mut self) -> Option<Vec<Write>> {
        if self.held.is_empty() {
            let first = self.waiting.recv().await?;
            self.held.push(first);
        }
        tokio::task::yield_now().await;
        let mut measure = Measure::default();
        let (held, waiting) = (&mut self.held, &mut self.waiting);
        let is_full = |held: &[Write]| measure.is_full(held);
        self.crowd.gather(held, waiting, is_full).await;
        // Whoever came last may not have been measured.
        measure.is_full(&self.held);
        let rest = self.held.split_off(measure.fitting.max(1));
        Some(std::mem::replace(&mut self.held, rest))
    }
}

/// How many of the writes at hand make a batch, from the first on.
#[derive(Default)]
struct Measure {
    counted: usize,
    bytes: usize,
    fitting: usize,
}

impl Measure {
    /// Measures those that are new among all at hand, and says whether no more of them go into the batch.
    fn is_full(&mut self, writes: &[Write]) -> bool {
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

/// Writes with what came of each, for those who wait.
pub(crate) type Decided = Vec<(Write, WriteResult)>;

/// The same came of all.
pub(crate) fn all(batch: Vec<Write>, result: &WriteResult) -> Decided {
    batch
        .into_iter()
        .map(|write| (write, result.clone()))
        .collect()
}

/// Tells those who wait what came of their writes.
pub(crate) fn answer(decided: Decided) {
    for (write, result) in decided {
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

    /// Writes that take too many bytes together are refused, surely not applied, long before their
    /// number is; those that are decided leave room for others.
    #[tokio::test]
    async fn waiting_writes_keep_a_limit_in_bytes() {
        let large = || Command::Withdraw {
            seen: 0,
            node_id: "n".repeat(8 << 20),
        };
        let (writes, mut batches) = Writes::new();
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

    /// Renewals of nodes with long names fill an entry by their bytes, long before their count does; the one
    /// that did not fit is first in the next.
    #[tokio::test]
    async fn a_batch_keeps_its_limit_in_bytes() {
        let (writes, mut batches) = Writes::new();
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
