//! The queue of linearizable reads. One ReadIndex round is in flight at a time, shared by every
//! read that was waiting when the round started.
//!
//! - A read joins only a round that starts after the read arrived.
//! - An index serves only reads that were waiting before that index was requested. A retry is
//!   therefore a new round with a new index. The reuse of an index caused etcd's stale read #20418.
//! - A read is answered by its deadline without a timer of its own. If the deadline passes during
//!   the read's round, the read gets an error and the round continues. If the deadline passes
//!   during an earlier round, the read is answered after that round (see [`ReadQueue::index`]).

use super::batcher::{AdaptiveBatcher, BatchDelay};
use crate::clock::{self, Instant};
use crate::planted::{Bug, is_planted};
use crate::raft::error::Unavailable;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Maximum time that a round waits for the expected reads. A round costs many task switches and
/// answering a lookup costs one, so waiting is cheaper than a second round.
const BATCH_DELAY: BatchDelay = BatchDelay {
    batches: 16,
    max: Duration::from_millis(8),
};
/// Maximum number of reads that wait for a round. A further read is rejected at once, since the
/// node is far over its capacity.
const MAX_WAITING_READS: usize = 20_000;
/// Maximum duration of a round. A longer round is abandoned and a new round starts, so that a
/// paused leader does not block the only round of this node.
pub(crate) const ROUND_TIMEOUT: Duration = Duration::from_millis(500);
/// Time from a failed round to the next one. The next round is earlier if the leader or the
/// membership changes.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(50);

/// The handle through which reads wait for a read index.
#[derive(Clone)]
pub(crate) struct ReadQueue {
    waiting: mpsc::Sender<PendingRead>,
    started: clock::Instant,
    /// Time of the last served read, in milliseconds after `started`, plus one; 0 if no read was
    /// served yet.
    last_served: Arc<AtomicU64>,
}

/// A read that waits for a round.
struct PendingRead {
    deadline: Instant,
    reply: oneshot::Sender<Result<u64, Unavailable>>,
}

impl ReadQueue {
    /// Creates an empty queue, and the worker that runs its rounds.
    pub(crate) fn new() -> (ReadQueue, ReadWorker) {
        let (waiting, queue) = mpsc::channel(MAX_WAITING_READS);
        let read_queue = ReadQueue {
            waiting,
            started: clock::now(),
            last_served: Arc::default(),
        };
        let worker = ReadWorker {
            queue,
            batcher: AdaptiveBatcher::new(BATCH_DELAY),
        };
        (read_queue, worker)
    }

    /// Returns the number of reads that wait for a round.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.max_capacity() - self.waiting.capacity()
    }

    /// Returns a read index. Once this node has applied the index, its state covers everything
    /// acknowledged before this call. If `deadline` passes during a round that began before this
    /// call, the method returns after that round. Otherwise it returns by `deadline`.
    pub(crate) async fn index(&self, deadline: Instant) -> Result<u64, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.waiting
            .try_send(PendingRead { deadline, reply })
            .map_err(|rejected| reason_of(&rejected))?;
        answer.await.unwrap_or(Err(Unavailable::Stopping))
    }

    /// Returns the time since a read was last served, or `None` if no read was served yet.
    pub(crate) fn since_served(&self) -> Option<Duration> {
        let at_ms = self.last_served.load(Ordering::Relaxed).checked_sub(1)?;
        Some(
            clock::now()
                .duration_since(self.started)
                .saturating_sub(Duration::from_millis(at_ms)),
        )
    }

    /// Records that a read was served completely: confirmed by a round and applied here.
    pub(crate) fn note_served(&self) {
        let at_ms = clock::now().duration_since(self.started).as_millis() as u64;
        self.last_served.store(at_ms + 1, Ordering::Relaxed);
    }
}

/// The receiving half of the queue, to be driven by [`ReadWorker::run`].
pub(crate) struct ReadWorker {
    queue: mpsc::Receiver<PendingRead>,
    batcher: AdaptiveBatcher,
}

impl ReadWorker {
    /// Runs one `round` after another while reads wait, until the group is `stopping`. After a
    /// failed round, waits for a `change`.
    pub(crate) async fn run<R, C>(
        mut self,
        round: impl Fn() -> R,
        change: impl Fn() -> C,
        stopping: impl Future<Output = ()>,
    ) where
        R: Future<Output = Result<u64, Unavailable>>,
        C: Future<Output = ()>,
    {
        tokio::select! {
            () = self.serve(round, change) => {}
            // openraft has ended and would log an error for each further round.
            () = stopping => {}
        }
        // Drop the remaining entries, because a read waits until it is answered or its entry is
        // dropped. An entry that a read adds at this moment would otherwise stay in the queue
        // forever. The waiting read keeps the group alive, and the group keeps the sender of the
        // queue alive.
        self.queue.close();
        while self.queue.recv().await.is_some() {}
    }

    /// Runs one round after another and answers the reads, until the queue is closed.
    async fn serve<R, C>(&mut self, round: impl Fn() -> R, change: impl Fn() -> C)
    where
        R: Future<Output = Result<u64, Unavailable>>,
        C: Future<Output = ()>,
    {
        let mut waiters: Vec<PendingRead> = Vec::new();
        loop {
            if waiters.is_empty() {
                match self.queue.recv().await {
                    Some(waiter) => waiters.push(waiter),
                    None => return,
                }
            }
            self.gather(&mut waiters).await;
            match answer_of(round(), &mut waiters).await {
                Some(Ok(index)) => self.answer(&mut waiters, index),
                Some(Err(reason)) => {
                    // Answer the reads whose deadline comes before the next round starts, since
                    // they cannot be served.
                    drop_overdue(&mut waiters, clock::now() + RETRY_AFTER, &reason);
                    change().await;
                }
                None => {}
            }
        }
    }

    /// Answers all waiting reads with a confirmed index.
    fn answer(&mut self, waiters: &mut Vec<PendingRead>, index: u64) {
        while is_planted(Bug::ReadIndexReused)
            && let Ok(waiter) = self.queue.try_recv()
        {
            waiters.push(waiter);
        }
        self.batcher.on_complete(waiters.len(), self.queue.len());
        for waiter in waiters.drain(..) {
            // An error means that the reader has stopped waiting.
            let _ = waiter.reply.send(Ok(index));
        }
    }

    /// Collects the waiting reads, the reads that arrive once the runtime has read its sockets, and
    /// the expected reads. The busier the node is, the more reads share a round.
    async fn gather(&mut self, waiters: &mut Vec<PendingRead>) {
        tokio::task::yield_now().await;
        let (batcher, queue) = (&mut self.batcher, &mut self.queue);
        let is_full = |waiters: &[PendingRead]| waiters.len() >= MAX_WAITING_READS;
        batcher.fill(waiters, queue, is_full).await;
    }
}

fn reason_of(rejected: &mpsc::error::TrySendError<PendingRead>) -> Unavailable {
    match rejected {
        mpsc::error::TrySendError::Full(_) => Unavailable::TooManyReads,
        mpsc::error::TrySendError::Closed(_) => Unavailable::Stopping,
    }
}

/// Awaits the round and returns its result, or `None` when no reader waits any more. A reader whose
/// deadline passes gets an error, and the round continues for the other readers. If one passed
/// deadline cancelled the round, no round would end under a constant stream of reads.
async fn answer_of(
    round: impl Future<Output = Result<u64, Unavailable>>,
    waiters: &mut Vec<PendingRead>,
) -> Option<Result<u64, Unavailable>> {
    let mut round = pin!(tokio::time::timeout(ROUND_TIMEOUT, round));
    loop {
        let first = waiters.iter().map(|waiter| waiter.deadline).min()?;
        match tokio::time::timeout_at(first, round.as_mut()).await {
            Ok(Ok(confirmed)) => return Some(confirmed),
            Ok(Err(_)) => return Some(Err(Unavailable::Unconfirmed)),
            Err(_) => drop_overdue(waiters, clock::now(), &Unavailable::Unconfirmed),
        }
    }
}

/// Answers the readers whose deadline is at or before `by`, and removes those that stopped waiting.
fn drop_overdue(waiters: &mut Vec<PendingRead>, by: Instant, reason: &Unavailable) {
    let is_over = |waiter: &mut PendingRead| waiter.deadline <= by || waiter.reply.is_closed();
    for waiter in waiters.extract_if(.., is_over) {
        let _ = waiter.reply.send(Err(reason.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(deadline: Instant) -> (PendingRead, oneshot::Receiver<Result<u64, Unavailable>>) {
        let (reply, answer) = oneshot::channel();
        (PendingRead { deadline, reply }, answer)
    }

    /// A round that never ends is abandoned after [`ROUND_TIMEOUT`]. A reader with an earlier
    /// deadline is answered at its deadline, and the other readers keep waiting.
    #[tokio::test(start_paused = true)]
    async fn a_read_is_answered_by_its_deadline() {
        let began = clock::now();
        let (late, mut late_answer) = waiter(began + Duration::from_secs(9));
        let (soon, soon_answer) = waiter(began + ROUND_TIMEOUT / 2);
        let mut waiters = vec![late, soon];
        let answered = async {
            assert!(matches!(soon_answer.await, Ok(Err(_))));
            clock::now().duration_since(began)
        };
        let round = answer_of(std::future::pending(), &mut waiters);
        let (came, soon_took) = tokio::join!(round, answered);
        assert!(matches!(came, Some(Err(_))));
        assert!(soon_took < ROUND_TIMEOUT, "{soon_took:?}");
        assert!(clock::now().duration_since(began) < 2 * ROUND_TIMEOUT);
        assert_eq!(waiters.len(), 1);
        assert!(late_answer.try_recv().is_err(), "it still waits");
    }

    /// A constant stream of arriving and expiring reads does not keep a recovered group from
    /// serving reads.
    #[tokio::test(start_paused = true)]
    async fn reads_are_served_again_after_a_time_without() {
        const OUTAGE: Duration = Duration::from_secs(2);
        let began = clock::now();
        let (reads, mut rounds) = ReadQueue::new();
        let round = move || async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            match clock::now().duration_since(began) < OUTAGE {
                true => Err(Unavailable::Reported("nobody leads".to_owned())),
                false => Ok(7),
            }
        };
        let served = tokio::spawn(async move {
            rounds
                .serve(round, || tokio::time::sleep(RETRY_AFTER))
                .await;
        });
        let mut asked = tokio::task::JoinSet::new();
        while clock::now().duration_since(began) < 2 * OUTAGE {
            let (reads, at) = (reads.clone(), clock::now());
            asked.spawn(async move {
                let index = reads.index(at + Duration::from_millis(1_800)).await;
                (at, clock::now().duration_since(at), index)
            });
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        while let Some(read) = asked.join_next().await {
            let (at, took, index) = read.expect("no panic");
            let at = at.duration_since(began);
            assert!(took <= Duration::from_millis(1_810), "{at:?}: {took:?}");
            assert!(at < OUTAGE || index.is_ok(), "{at:?}: {index:?}");
        }
        served.abort();
    }
}
