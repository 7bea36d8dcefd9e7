//! Adaptive batching, which decides how many requests a batch waits for. Under load, the batches of
//! writes and the rounds of reads grow larger instead of more frequent.
//!
//! Clients that were answered together send their next requests at about the same time. If a batch
//! starts with only the first of these requests, the other requests wait for the next batch. As a
//! result, two batches of half the size alternate, at twice the cost.
//!
//! Therefore a batch waits for as many requests as were in the last batch or in the queue when the
//! last batch was answered. If the expected requests do not arrive, for example because requests
//! come at random times, the next batches do not wait.

use crate::clock::{self, Instant};
use std::time::Duration;
use tokio::sync::mpsc;

/// Minimum number of expected requests for which a batch waits. A batch for fewer clients is cheap,
/// and each of these clients may have sent its last request.
const MIN_BATCH: usize = 8;
/// Minimum time to wait for the expected requests. On an idle machine, answered clients send their
/// next request sooner than this. The timer may fire a millisecond late.
const MIN_DELAY: Duration = Duration::from_millis(1);
/// Time after which a client that has not sent another request is not expected any more.
const EXPECT_WITHIN: Duration = Duration::from_millis(10);
/// Number of batches that do not wait, after the first batch for which the expected requests did
/// not arrive. The number doubles each time this happens in a row.
const BACKOFF_MIN: u32 = 4;
/// Maximum number of batches in a row that do not wait.
const BACKOFF_MAX: u32 = 256;

/// Maximum time to wait for the expected requests. The busier a machine is, the longer a batch
/// takes and the later the answered clients send their next requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchDelay {
    /// Maximum time as a multiple of the duration of the last batch.
    pub(crate) batches: u32,
    /// Maximum time, no matter how long the last batch took.
    pub(crate) max: Duration,
}

/// Tracks the clients that are expected to send another request.
#[derive(Debug)]
pub(crate) struct AdaptiveBatcher {
    /// Number of requests that the next batch waits for: those of the last batch, and those that
    /// were queued when the last batch was answered. Zero if there were fewer than [`MIN_BATCH`].
    expected: usize,
    /// The time at which the last batch was answered.
    answered_at: Instant,
    /// The time at which the last batch was filled.
    filled_at: Instant,
    delay: BatchDelay,
    /// Number of the next batches that do not wait.
    backoff: u32,
    /// The next value of `backoff`, if the expected requests do not arrive.
    next_backoff: u32,
}

impl AdaptiveBatcher {
    /// Creates a tracker that waits at most as long as `delay` allows.
    pub(crate) fn new(delay: BatchDelay) -> AdaptiveBatcher {
        let now = clock::now();
        AdaptiveBatcher {
            expected: 0,
            answered_at: now,
            filled_at: now,
            delay,
            backoff: 0,
            next_backoff: BACKOFF_MIN,
        }
    }

    /// Adds arriving requests to a batch until it has the expected number, is full, or has waited
    /// long enough. Cancel-safe.
    pub(crate) async fn fill<T>(
        &mut self,
        batch: &mut Vec<T>,
        coming: &mut mpsc::Receiver<T>,
        is_full: impl FnMut(&[T]) -> bool,
    ) {
        self.fill_expected(batch, coming, is_full).await;
        self.filled_at = clock::now();
    }

    /// Adds arriving requests as [`AdaptiveBatcher::fill`] does, and backs off if the expected ones
    /// do not arrive.
    async fn fill_expected<T>(
        &mut self,
        batch: &mut Vec<T>,
        coming: &mut mpsc::Receiver<T>,
        mut is_full: impl FnMut(&[T]) -> bool,
    ) {
        take_waiting(batch, coming, &mut is_full);
        let expected = self.expected();
        if expected == 0 {
            return;
        }
        let until = clock::now() + self.delay();
        while batch.len() < expected && !is_full(batch) {
            if !take_one(batch, coming, until).await {
                return self.back_off();
            }
            take_waiting(batch, coming, &mut is_full);
        }
        self.next_backoff = BACKOFF_MIN;
    }

    /// Records that a batch of `count` requests was answered while `waiting` more were queued.
    pub(crate) fn on_complete(&mut self, count: usize, waiting: usize) {
        self.answered_at = clock::now();
        self.expected = match count + waiting < MIN_BATCH {
            true => 0,
            false => count + waiting,
        };
    }

    /// Returns the number of requests to wait for.
    fn expected(&mut self) -> usize {
        let expected = std::mem::take(&mut self.expected);
        if clock::now().duration_since(self.answered_at) > EXPECT_WITHIN {
            return 0;
        }
        if expected > 0 && self.backoff > 0 {
            self.backoff -= 1;
            return 0;
        }
        expected
    }

    /// Returns how long this batch waits for the expected requests.
    fn delay(&self) -> Duration {
        let took = self.answered_at.duration_since(self.filled_at);
        (took * self.delay.batches).clamp(MIN_DELAY, self.delay.max)
    }

    /// Lets the next batches start without waiting. The number of these batches doubles with each
    /// consecutive back-off.
    fn back_off(&mut self) {
        self.backoff = self.next_backoff;
        self.next_backoff = BACKOFF_MAX.min(2 * self.next_backoff);
    }
}

/// Adds the requests that are already queued, until the batch is full.
fn take_waiting<T>(
    batch: &mut Vec<T>,
    coming: &mut mpsc::Receiver<T>,
    mut is_full: impl FnMut(&[T]) -> bool,
) {
    while !is_full(batch)
        && let Ok(next) = coming.try_recv()
    {
        batch.push(next);
    }
}

/// Adds the next request and returns whether one arrived in time.
async fn take_one<T>(batch: &mut Vec<T>, coming: &mut mpsc::Receiver<T>, until: Instant) -> bool {
    let next = tokio::time::timeout_at(until, coming.recv()).await;
    match next {
        Ok(Some(next)) => {
            batch.push(next);
            true
        }
        Ok(None) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::Sender;

    const MAX_BATCH: usize = 50;
    const DELAY: BatchDelay = BatchDelay {
        batches: 2,
        max: Duration::from_millis(5),
    };

    async fn filled(batcher: &mut AdaptiveBatcher, coming: &mut mpsc::Receiver<u32>) -> usize {
        let mut batch = Vec::new();
        let is_full = |batch: &[u32]| batch.len() >= MAX_BATCH;
        batcher.fill(&mut batch, coming, is_full).await;
        batch.len()
    }

    fn ask(clients: &Sender<u32>, count: u32) {
        for client in 0..count {
            clients.try_send(client).expect("there is room");
        }
    }

    /// If the requests of two groups of clients alternate, both groups merge into one batch.
    #[tokio::test(start_paused = true)]
    async fn halves_become_one() {
        let (clients, mut coming) = mpsc::channel(100);
        // Five clients alone are below `MIN_BATCH`, but ten are not.
        for half in [20, 5] {
            let mut batcher = AdaptiveBatcher::new(DELAY);
            ask(&clients, half);
            batcher.on_complete(half as usize, half as usize);
            let again = async {
                tokio::task::yield_now().await;
                ask(&clients, half);
            };
            let (all, ()) = tokio::join!(filled(&mut batcher, &mut coming), again);
            assert_eq!(all, 2 * half as usize);
            assert_eq!(batcher.backoff, 0);
        }
    }

    /// A batch does not wait while fewer than [`MIN_BATCH`] clients send requests.
    #[tokio::test(start_paused = true)]
    async fn few_are_not_waited_for() {
        let (clients, mut coming) = mpsc::channel(100);
        let mut batcher = AdaptiveBatcher::new(DELAY);
        let began = clock::now();
        for _ in 0..100 {
            batcher.on_complete(4, 3);
            ask(&clients, 1);
            assert_eq!(filled(&mut batcher, &mut coming).await, 1);
        }
        assert_eq!(clock::now(), began);
    }

    /// When answered clients send no further requests, batches seldom wait, and only briefly. When
    /// the clients return, batches wait for them again.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_is_not_waited_for() {
        let (clients, mut coming) = mpsc::channel(100);
        let mut batcher = AdaptiveBatcher::new(DELAY);
        let began = clock::now();
        for _ in 0..2_000 {
            batcher.on_complete(20, 0);
            ask(&clients, 1);
            assert_eq!(filled(&mut batcher, &mut coming).await, 1);
        }
        let waited = clock::now().duration_since(began);
        // A timer may fire up to a millisecond late.
        assert!(waited < 20 * 2 * MIN_DELAY, "{waited:?}");
        batcher.backoff = 0;
        batcher.on_complete(20, 0);
        ask(&clients, 20);
        assert_eq!(filled(&mut batcher, &mut coming).await, 20);
        assert_eq!(batcher.next_backoff, BACKOFF_MIN);
    }

    /// The longer the last batch took, the longer the next one waits, but no longer than the
    /// absolute maximum, even if a disk stalls.
    #[tokio::test(start_paused = true)]
    async fn as_long_as_a_batch_takes_is_waited() {
        let (clients, mut coming) = mpsc::channel(100);
        for (took_ms, waits_ms) in [(0, 1), (2, 4), (500, 5)] {
            let mut batcher = AdaptiveBatcher::new(DELAY);
            ask(&clients, 20);
            assert_eq!(filled(&mut batcher, &mut coming).await, 20);
            tokio::time::advance(Duration::from_millis(took_ms)).await;
            batcher.on_complete(20, 0);
            ask(&clients, 1);
            let began = clock::now();
            assert_eq!(filled(&mut batcher, &mut coming).await, 1);
            let waited = clock::now().duration_since(began);
            // A timer may fire up to a millisecond late.
            let least = Duration::from_millis(waits_ms);
            assert!(
                waited >= least && waited <= least + Duration::from_millis(1),
                "{took_ms}: {waited:?}"
            );
        }
    }

    /// A batch does not wait for clients that were answered longer than [`EXPECT_WITHIN`] ago.
    #[tokio::test(start_paused = true)]
    async fn the_crowd_of_a_while_ago_is_gone() {
        let (clients, mut coming) = mpsc::channel(100);
        let mut batcher = AdaptiveBatcher::new(DELAY);
        batcher.on_complete(60, 0);
        tokio::time::advance(2 * EXPECT_WITHIN).await;
        let began = clock::now();
        ask(&clients, 1);
        assert_eq!(filled(&mut batcher, &mut coming).await, 1);
        assert_eq!(clock::now(), began);
    }

    /// A full batch waits for no more requests; the remaining ones are in the next batch.
    #[tokio::test(start_paused = true)]
    async fn a_batch_has_its_limit() {
        let (clients, mut coming) = mpsc::channel(100);
        let mut batcher = AdaptiveBatcher::new(DELAY);
        batcher.on_complete(60, 10);
        ask(&clients, 70);
        assert_eq!(filled(&mut batcher, &mut coming).await, MAX_BATCH);
        assert_eq!(filled(&mut batcher, &mut coming).await, 70 - MAX_BATCH);
    }
}
