//! How long a connection may do nothing, which depends on what it is in the middle of.

use crate::clock::{Instant, now};
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// From the first byte of a request to the end of its head. Also how often a connection that cannot be parked is looked at.
const HEAD_TIME: Duration = Duration::from_secs(8);

/// Between requests; airlift's default of `http-server.net.max-idle-time`.
const IDLE_TIME: Duration = Duration::from_secs(200);

/// A client that takes nothing of its answer for this long is gone.
const STALL_TIME: Duration = Duration::from_secs(30);

/// Marks that no head is being read; times are milliseconds since the connection began.
const NO_HEAD: u64 = u64::MAX;

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
    http2: AtomicBool,
    write_waits: AtomicBool,
    /// Told when the last request in flight ends.
    answered: AtomicWaker,
}

/// A request in flight; ends when dropped.
pub(super) struct InFlight(Arc<Activity>);

/// A body that is read or written by parts, and may be when its request is answered already; ends when dropped.
pub(super) struct Exchange(Arc<Activity>);

impl Activity {
    pub(super) fn new(began: Instant, parked_after: Duration) -> Activity {
        Activity {
            began,
            parked_after,
            last_io_ms: AtomicU64::new(0),
            head_since_ms: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            exchanges: AtomicUsize::new(0),
            http2: AtomicBool::new(false),
            write_waits: AtomicBool::new(false),
            answered: AtomicWaker::new(),
        }
    }

    /// A request's head is whole.
    pub(super) fn request(self: &Arc<Self>, http2: bool) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.head_since_ms.store(NO_HEAD, Ordering::Relaxed);
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
            && !self.write_waits.load(Ordering::Relaxed)
            && !self.http2.load(Ordering::Relaxed)
            && self.head_since_ms.load(Ordering::Relaxed) == NO_HEAD
    }

    /// When a connection between requests is to be closed.
    pub(super) fn idle_until(&self) -> Instant {
        self.last_io() + IDLE_TIME
    }

    /// Whether a request waits for its answer.
    pub(super) fn is_answering(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) > 0
    }

    /// Waits until no request is in flight. One waits at a time.
    pub(super) async fn answered(&self) {
        std::future::poll_fn(|cx| {
            self.answered.register(cx.waker());
            match self.is_answering() {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
    }

    /// When the connection is to be looked at again; it is to be closed when that is not after `at`.
    pub(super) fn deadline(&self, at: Instant) -> Instant {
        if self.is_answering() {
            return at + HEAD_TIME;
        }
        let mut deadline = self.idle_until();
        if self.write_waits.load(Ordering::Relaxed) {
            deadline = self.last_io() + STALL_TIME;
        }
        let head_since_ms = self.head_since_ms.load(Ordering::Relaxed);
        if head_since_ms != NO_HEAD && !self.http2.load(Ordering::Relaxed) {
            deadline = deadline.min(self.since(head_since_ms) + HEAD_TIME);
        }
        match self.is_between_requests() {
            true => deadline.min(at + self.parked_after),
            false => deadline.min(at + HEAD_TIME),
        }
    }

    fn since(&self, ms: u64) -> Instant {
        self.began + Duration::from_millis(ms)
    }

    fn last_io(&self) -> Instant {
        self.since(self.last_io_ms.load(Ordering::Relaxed))
    }

    fn read(&self, at: Instant) {
        let ms = self.moved(at);
        if self.in_flight.load(Ordering::Relaxed) == 0 {
            let _ = self.head_since_ms.compare_exchange(
                NO_HEAD,
                ms,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }

    fn wrote(&self, done: bool, at: Instant) {
        self.write_waits.store(!done, Ordering::Relaxed);
        if done {
            self.moved(at);
        }
    }

    fn moved(&self, at: Instant) -> u64 {
        let ms = u64::try_from(at.duration_since(self.began).as_millis()).unwrap_or(NO_HEAD - 1);
        self.last_io_ms.store(ms, Ordering::Relaxed);
        ms
    }
}

impl InFlight {
    /// As [`Activity::exchange`].
    pub(super) fn exchange(&self) -> Exchange {
        self.0.exchange()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
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

/// Tells an [`Activity`] of each byte that moves.
pub(super) struct Watched<IO> {
    io: IO,
    /// What was read of it before, and comes first.
    unread: Bytes,
    activity: Arc<Activity>,
}

impl<IO> Watched<IO> {
    pub(super) fn new(io: IO, unread: Bytes, activity: Arc<Activity>) -> Watched<IO> {
        Watched {
            io,
            unread,
            activity,
        }
    }

    fn written(&self, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.wrote(poll.is_ready(), now());
        poll
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let bytes = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread.split_to(bytes));
            self.activity.read(now());
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.read(now());
        }
        poll
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.written(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.written(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn closed(activity: &Activity, at: Instant) -> bool {
        activity.deadline(at) <= at
    }

    /// A head that trickles is cut off although bytes keep coming.
    #[test]
    fn a_trickling_head_is_cut_off() {
        let began = now();
        let activity = Arc::new(Activity::new(began, S));
        for second in 1..8 {
            activity.read(began + second * S);
            assert!(!closed(&activity, began + second * S));
        }
        assert!(closed(&activity, began + HEAD_TIME));
    }

    /// A connection between requests may wait for long, on HTTP/2 also when a stray frame came.
    #[test]
    fn an_idle_connection_may_wait() {
        for http2 in [false, true] {
            let began = now();
            let activity = Arc::new(Activity::new(began, S));
            drop(activity.request(http2));
            activity.wrote(true, began + S);
            assert!(!closed(&activity, began + 200 * S));
            assert!(closed(&activity, began + 201 * S));
            activity.read(began + 202 * S);
            assert_eq!(
                closed(&activity, began + 212 * S),
                !http2,
                "HTTP/1.1 began a head, HTTP/2 need not have"
            );
        }
    }

    /// A request in flight has its handler's limits, and ours again once it is answered.
    #[test]
    fn a_request_in_flight_is_not_ours_to_end() {
        let began = now();
        let activity = Arc::new(Activity::new(began, S));
        let in_flight = activity.request(false);
        assert!(!closed(&activity, began + 1_000 * S));
        drop(in_flight);
        assert!(closed(&activity, began + 1_000 * S));
    }

    /// Only a connection between two requests is parked, and only when nothing may come of the last one any more.
    #[test]
    fn what_is_under_way_is_not_parked() {
        let began = now();
        let later = began + 100 * S;
        let activity = Arc::new(Activity::new(began, S));
        assert!(!activity.is_to_be_parked(later), "before the first head");
        activity.read(began);
        let in_flight = activity.request(false);
        assert!(!activity.is_to_be_parked(later), "in flight");
        let body = in_flight.exchange();
        drop(in_flight);
        assert!(!activity.is_to_be_parked(later), "a body");
        drop(body);
        activity.wrote(false, began);
        assert!(!activity.is_to_be_parked(later), "its end is not sent");
        activity.wrote(true, later);
        assert!(!activity.is_to_be_parked(later), "just now");
        assert!(activity.is_to_be_parked(later + S));
        activity.read(later);
        assert!(!activity.is_to_be_parked(later + 100 * S), "a head");
        drop(activity.request(true));
        assert!(!activity.is_to_be_parked(later + 100 * S), "HTTP/2");
    }

    /// A client that takes nothing of its answer is cut off.
    #[test]
    fn a_stalled_reader_is_cut_off() {
        let began = now();
        let activity = Arc::new(Activity::new(began, S));
        drop(activity.request(false));
        activity.wrote(false, began);
        assert!(!closed(&activity, began + 29 * S));
        assert!(closed(&activity, began + 30 * S));
    }
}
