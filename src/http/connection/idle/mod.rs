//! The idle limits of a connection, and the decision when to park the connection. The limits depend
//! on the connection's current activity. The parking itself is in `driver`
//! (`wait_for_next_request`).

use super::h2_frames::{FrameTracker, PROGRESS_BYTES, STALL_TIMEOUT};
use super::protocol::Protocol;
use crate::clock::Instant;
use crate::locks::lock;
use futures_util::task::AtomicWaker;
use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

/// Maximum time from the first byte of a request to the end of its head. Also the maximum interval
/// between two checks of a connection's limits.
const HEAD_TIMEOUT: Duration = Duration::from_secs(8);

/// Maximum time between requests; airlift's default of `http-server.net.max-idle-time`.
const IDLE_TIMEOUT: Duration = Duration::from_secs(200);

/// Value of a time that is not set, because no head is being read, or no write waits. Times are in
/// milliseconds since the connection was opened.
const NEVER: u64 = u64::MAX;

/// The activity of a connection. The connection's IO and requests record their activity here, and
/// the connection's task checks the time limits.
///
/// - While a request is in flight, the time limits of the request's handler replace the
///   connection's limits.
/// - On HTTP/2, only [`IDLE_TIMEOUT`] applies between requests, because a received byte may belong
///   to a PING instead of a request.
/// - A body that is, or may be, transferred in parts holds a [`BodyGuard`].
pub(super) struct ConnectionState {
    began: Instant,
    parked_after: Duration,
    last_io_ms: AtomicU64,
    head_since_ms: AtomicU64,
    in_flight: AtomicUsize,
    /// Number of bodies in transfer, each with a [`BodyGuard`].
    exchanges: AtomicUsize,
    /// Number of bodies in transfer that are event streams.
    streams: AtomicUsize,
    http2: AtomicBool,
    /// Whether a response was produced since the last check of the connection. The response may not
    /// be written yet.
    has_answered: AtomicBool,
    /// The time since which the socket accepts too little of the output, or [`NEVER`].
    write_waits_since_ms: AtomicU64,
    /// Number of bytes that the socket accepted since `write_waits_since_ms`.
    taken_since: AtomicUsize,
    /// The responses in progress on an HTTP/2 connection; boxed, since few connections use HTTP/2.
    frames: Option<Box<Mutex<FrameTracker>>>,
    /// The task to wake when the last request in flight ends.
    answered: AtomicWaker,
}

/// A guard that marks a request as in flight until the guard is dropped.
pub(super) struct InFlight(Arc<ConnectionState>);

/// A guard that marks a body as in transfer until the guard is dropped. The body is read or written
/// in parts, possibly after its request is answered.
pub(super) struct BodyGuard(Arc<ConnectionState>);

/// A guard that marks a response as an event stream until the guard is dropped. It includes a
/// [`BodyGuard`].
pub(super) struct Streaming(BodyGuard);

impl ConnectionState {
    pub(super) fn new(
        began: Instant,
        parked_after: Duration,
        protocol: Protocol,
    ) -> ConnectionState {
        ConnectionState {
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
            frames: (protocol == Protocol::Http2)
                .then(|| Box::new(Mutex::new(FrameTracker::new()))),
            answered: AtomicWaker::new(),
        }
    }

    /// Records that a request's head is complete.
    pub(super) fn request(self: &Arc<Self>, http2: bool) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.head_since_ms.store(NEVER, Ordering::Relaxed);
        self.http2.store(http2, Ordering::Relaxed);
        InFlight(self.clone())
    }

    /// Records that a body is, or will be, in transfer.
    pub(super) fn exchange(self: &Arc<Self>) -> BodyGuard {
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        BodyGuard(self.clone())
    }

    /// Whether the connection has been silent between two HTTP/1 requests for long enough to be
    /// parked.
    pub(super) fn is_to_be_parked(&self, at: Instant) -> bool {
        self.is_between_requests() && at >= self.last_io() + self.parked_after
    }

    /// Whether the last HTTP/1 request is complete, with its body and its response, and no byte of
    /// the next request has arrived.
    fn is_between_requests(&self) -> bool {
        !self.is_answering()
            && self.exchanges.load(Ordering::SeqCst) == 0
            && !self.write_waits()
            && !self.http2.load(Ordering::Relaxed)
            && self.head_since_ms.load(Ordering::Relaxed) == NEVER
    }

    /// Whether an HTTP/2 connection has nothing in progress, and has answered nothing since the
    /// previous call. PINGs do not count.
    pub(super) fn is_idle(&self) -> bool {
        !self.has_answered.swap(false, Ordering::AcqRel) && self.has_nothing_under_way()
    }

    /// Returns true if the connection uses HTTP/2 and no response is in progress.
    pub(super) fn has_nothing_under_way(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
            && !self.is_answering()
            && self.exchanges.load(Ordering::SeqCst) == 0
            && !self.is_sending()
            // `has_answered` is checked last, because it is set before the request stops being in
            // flight.
            && !self.has_answered.load(Ordering::Relaxed)
    }

    /// Whether a response is being sent, which a client that does not read can stall.
    pub(super) fn is_sending(&self) -> bool {
        self.write_waits() || self.frames().is_some_and(|frames| frames.are_owed())
    }

    fn write_waits(&self) -> bool {
        self.write_waits_since_ms.load(Ordering::Relaxed) != NEVER
    }

    fn frames(&self) -> Option<MutexGuard<'_, FrameTracker>> {
        let frames = self.frames.as_ref()?;
        Some(lock(frames))
    }

    /// Returns the time when a connection between requests is to be closed.
    pub(super) fn idle_until(&self) -> Instant {
        self.last_io() + IDLE_TIMEOUT
    }

    /// Whether a request waits for its response.
    pub(super) fn is_answering(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) > 0
    }

    /// Waits until no request is in flight, or a response is being sent. Only the task that writes
    /// to the socket may wait here, because no waker signals the beginning of a response. That task
    /// checks the condition again after each of its writes.
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

    /// Returns the time of the next check of the limits. If this time is not after `at`, the
    /// connection is to be closed.
    pub(super) fn deadline(&self, at: Instant) -> Instant {
        let mut deadline = at + HEAD_TIMEOUT;
        if let Some(stalled_at) = self.stalled_at(at) {
            deadline = deadline.min(stalled_at);
        }
        if self.is_answering() {
            return deadline;
        }
        deadline = deadline.min(self.idle_until());
        let head_since_ms = self.head_since_ms.load(Ordering::Relaxed);
        if head_since_ms != NEVER && !self.http2.load(Ordering::Relaxed) {
            deadline = deadline.min(self.since(head_since_ms) + HEAD_TIMEOUT);
        }
        match self.is_between_requests() {
            true => deadline.min(at + self.parked_after),
            false => deadline,
        }
    }

    /// Returns the time at which the client counts as stalled, unless the client takes more bytes
    /// earlier. Returns `None` if no response is being sent.
    fn stalled_at(&self, at: Instant) -> Option<Instant> {
        let waits_since_ms = self.write_waits_since_ms.load(Ordering::Relaxed);
        let of_socket =
            (waits_since_ms != NEVER).then(|| self.since(waits_since_ms) + STALL_TIMEOUT);
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

    /// Records bytes that were read, which may begin a request's head.
    pub(super) fn read(&self, bytes: &[u8], at: Instant) {
        let ms = self.moved(at);
        if let Some(mut frames) = self.frames() {
            frames.read(bytes);
        }
        // Bytes that arrive during a request, or while the rest of its body is discarded, do not
        // begin a head.
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

    /// Records that the socket accepted the first `bytes` of `slices`.
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

    /// Records that the socket accepts no output for now.
    pub(super) fn write_must_wait(&self, at: Instant) {
        if !self.write_waits() {
            self.taken_since.store(0, Ordering::Relaxed);
            let ms = self.ms(at);
            self.write_waits_since_ms.store(ms, Ordering::Relaxed);
        }
    }

    /// Records that all output is written.
    pub(super) fn flushed(&self) {
        if self.write_waits() {
            self.write_waits_since_ms.store(NEVER, Ordering::Relaxed);
        }
    }

    /// Records the time of a transfer, and returns it in milliseconds.
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
    /// Records that the response is an event stream.
    pub(super) fn streaming(&self) -> Streaming {
        self.0.streams.fetch_add(1, Ordering::Relaxed);
        Streaming(self.0.exchange())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.has_answered.store(true, Ordering::Relaxed);
        // The ordering is `SeqCst`, so that a task which has just registered its waker sees the new
        // count or is woken.
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.answered.wake();
        }
    }
}

impl Drop for BodyGuard {
    fn drop(&mut self) {
        self.0.exchanges.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let Streaming(BodyGuard(state)) = self;
        state.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
