//! How long a connection may do nothing, which depends on what it is in the middle of.

use super::h2_frames::{Frames, PROGRESS_BYTES, STALL_TIME};
use super::h2_preface::Spoken;
use crate::clock::Instant;
use futures_util::task::AtomicWaker;
use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// From the first byte of a request to the end of its head. Also how often a connection that cannot be parked is looked at.
const HEAD_TIME: Duration = Duration::from_secs(8);

/// Between requests; airlift's default of `http-server.net.max-idle-time`.
const IDLE_TIME: Duration = Duration::from_secs(200);

/// Marks that no head is being read, and that no write waits; times are milliseconds since the
/// connection began.
const NEVER: u64 = u64::MAX;

/// What a connection is doing, written by its IO and its requests and read by its task.
///
/// - While a request is in flight, its handler's limits hold and none of ours.
/// - On HTTP/2 a byte between requests need not begin one, so only idleness counts there.
/// - A body that moves by parts, or may, holds an [`Exchange`].
pub(super) struct Activity {
    began: Instant,
    parked_after: Duration,
    last_io_ms: AtomicU64,
    head_since_ms: AtomicU64,
    in_flight: AtomicUsize,
    exchanges: AtomicUsize,
    /// Of the exchanges, those that are streams of events.
    streams: AtomicUsize,
    http2: AtomicBool,
    /// An answer was made since the connection was looked at last; it may not be written yet.
    has_answered: AtomicBool,
    /// Since when the socket takes too little of what is written.
    write_waits_since_ms: AtomicU64,
    /// What it took since then.
    taken_since: AtomicUsize,
    /// What HTTP/2 owes; apart, since few connections are of this kind.
    frames: Option<Box<Mutex<Frames>>>,
    /// Told when the last request in flight ends.
    answered: AtomicWaker,
}

/// A request in flight; ends when dropped.
pub(super) struct InFlight(Arc<Activity>);

/// A body that is read or written by parts, and may be when its request is answered already; ends when dropped.
pub(super) struct Exchange(Arc<Activity>);

/// A stream of events, an [`Exchange`] too; ends when dropped.
pub(super) struct Streaming(Exchange);

impl Activity {
    pub(super) fn new(began: Instant, parked_after: Duration, spoken: Spoken) -> Activity {
        Activity {
            began,
            parked_after,
            last_io_ms: AtomicU64::new(0),
            head_since_ms: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            exchanges: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            http2: AtomicBool::new(false),
            has_answered: AtomicBool::new(false),
            write_waits_since_ms: AtomicU64::new(NEVER),
            taken_since: AtomicUsize::new(0),
            frames: (spoken == Spoken::Http2).then(|| Box::new(Mutex::new(Frames::new()))),
            answered: AtomicWaker::new(),
        }
    }

    /// A request's head is whole.
    pub(super) fn request(self: &Arc<Self>, http2: bool) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.head_since_ms.store(NEVER, Ordering::Relaxed);
        self.http2.store(http2, Ordering::Relaxed);
        InFlight(self.clone())
    }

    /// A body is, or will be, under way.
    pub(super) fn exchange(self: &Arc<Self>) -> Exchange {
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        Exchange(self.clone())
    }

    /// Whether it has been silent between two requests of HTTP/1 for long enough to be parked.
    pub(super) fn is_to_be_parked(&self, at: Instant) -> bool {
        self.is_between_requests() && at >= self.last_io() + self.parked_after
    }

    /// Whether all that a request of HTTP/1 may bring has come and gone, and nothing of the next is there.
    fn is_between_requests(&self) -> bool {
        !self.is_answering()
            && self.exchanges.load(Ordering::SeqCst) == 0
            && !self.write_waits()
            && !self.http2.load(Ordering::Relaxed)
            && self.head_since_ms.load(Ordering::Relaxed) == NEVER
    }

    /// Whether a connection of HTTP/2 has nothing under way, and had nothing when it was last
    /// asked. PINGs are nothing.
    pub(super) fn rests(&self) -> bool {
        !self.has_answered.swap(false, Ordering::AcqRel) && self.has_nothing_under_way()
    }

    /// Whether a connection of HTTP/2 owes its client nothing.
    pub(super) fn has_nothing_under_way(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
            && !self.is_answering()
            && self.exchanges.load(Ordering::SeqCst) == 0
            && !self.is_sending()
            // Last: it is set before its request is counted as answered.
            && !self.has_answered.load(Ordering::Relaxed)
    }

    /// Whether an answer is under way that its client may not take.
    pub(super) fn is_sending(&self) -> bool {
        self.write_waits() || self.frames().is_some_and(|frames| frames.are_owed())
    }

    fn write_waits(&self) -> bool {
        self.write_waits_since_ms.load(Ordering::Relaxed) != NEVER
    }

    fn frames(&self) -> Option<MutexGuard<'_, Frames>> {
        let frames = self.frames.as_ref()?;
        Some(frames.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When a connection between requests is to be closed.
    pub(super) fn idle_until(&self) -> Instant {
        self.last_io() + IDLE_TIME
    }

    /// Whether a request waits for its answer.
    pub(super) fn is_answering(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) > 0
    }

    /// Waits until no request is in flight, or an answer is under way that its client may not take.
    /// One waits at a time: the task that writes, so that it looks after each write.
    pub(super) async fn answered(&self) {
        std::future::poll_fn(|cx| {
            self.answered.register(cx.waker());
            match self.is_answering() && !self.is_sending() {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
    }

    /// When the connection is to be looked at again; it is to be closed when that is not after `at`.
    pub(super) fn deadline(&self, at: Instant) -> Instant {
        let mut deadline = at + HEAD_TIME;
        if let Some(stalled_at) = self.stalled_at(at) {
            deadline = deadline.min(stalled_at);
        }
        if self.is_answering() {
            return deadline;
        }
        deadline = deadline.min(self.idle_until());
        let head_since_ms = self.head_since_ms.load(Ordering::Relaxed);
        if head_since_ms != NEVER && !self.http2.load(Ordering::Relaxed) {
            deadline = deadline.min(self.since(head_since_ms) + HEAD_TIME);
        }
        match self.is_between_requests() {
            true => deadline.min(at + self.parked_after),
            false => deadline,
        }
    }

    /// When the client takes too little of its answers, unless it takes more until then.
    fn stalled_at(&self, at: Instant) -> Option<Instant> {
        let waits_since_ms = self.write_waits_since_ms.load(Ordering::Relaxed);
        let of_socket = (waits_since_ms != NEVER).then(|| self.since(waits_since_ms) + STALL_TIME);
        let streams = self.streams.load(Ordering::Relaxed);
        let of_frames = self
            .frames()
            .and_then(|mut frames| frames.stalled_at(streams, at));
        of_socket.into_iter().chain(of_frames).min()
    }

    fn since(&self, ms: u64) -> Instant {
        self.began + Duration::from_millis(ms)
    }

    fn last_io(&self) -> Instant {
        self.since(self.last_io_ms.load(Ordering::Relaxed))
    }

    pub(super) fn read(&self, bytes: &[u8], at: Instant) {
        let ms = self.moved(at);
        if let Some(mut frames) = self.frames() {
            frames.read(bytes);
        }
        // The rest of a body that nobody reads any more is no head.
        if self.in_flight.load(Ordering::Relaxed) == 0 && self.exchanges.load(Ordering::SeqCst) == 0
        {
            let _ = self.head_since_ms.compare_exchange(
                NEVER,
                ms,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }

    pub(super) fn wrote(&self, slices: &[IoSlice<'_>], bytes: usize, at: Instant) {
        let ms = self.moved(at);
        if let Some(mut frames) = self.frames() {
            frames.wrote(slices, bytes, at);
        }
        if self.write_waits()
            && self.taken_since.fetch_add(bytes, Ordering::Relaxed) + bytes >= PROGRESS_BYTES
        {
            self.taken_since.store(0, Ordering::Relaxed);
            self.write_waits_since_ms.store(ms, Ordering::Relaxed);
        }
    }

    pub(super) fn write_must_wait(&self, at: Instant) {
        if !self.write_waits() {
            self.taken_since.store(0, Ordering::Relaxed);
            let ms = self.ms(at);
            self.write_waits_since_ms.store(ms, Ordering::Relaxed);
        }
    }

    /// Nothing is left to write.
    pub(super) fn flushed(&self) {
        if self.write_waits() {
            self.write_waits_since_ms.store(NEVER, Ordering::Relaxed);
        }
    }

    fn moved(&self, at: Instant) -> u64 {
        let ms = self.ms(at);
        self.last_io_ms.store(ms, Ordering::Relaxed);
        ms
    }

    fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.began).as_millis()).unwrap_or(NEVER - 1)
    }
}

impl InFlight {
    /// The answer is a stream of events.
    pub(super) fn streaming(&self) -> Streaming {
        self.0.streams.fetch_add(1, Ordering::Relaxed);
        Streaming(self.0.exchange())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.has_answered.store(true, Ordering::Relaxed);
        // Ordered before the look of one who has registered.
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.answered.wake();
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.exchanges.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let Streaming(Exchange(activity)) = self;
        activity.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
