//! The life of one connection: its time limits, and its end when the process stops or wakes.

use super::error_bodies::Worded;
use super::exchange::{Shared, answer};
use super::h2_preface::{self, Spoken};
use super::idle::Activity;
use super::peekable_stream::SharedStream;
use super::poll_on_wake::Seldom;
use super::tracked_io::Watched;
use crate::clock::now;
use crate::http::backend::Discovery;
use crate::http::connection_limiter::Place;
use crate::http::state::{Origin, stopped};
use bytes::Bytes;
use futures_util::FutureExt;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Maximum time until the first byte of a new connection. hyper's buffers are allocated only after
/// it. A client that sends nothing, or sends too slowly, is cut off within 10 s; the remaining 2 s
/// are for a last response and for a node that is busy with many of them.
const FIRST_BYTE_TIME: Duration = Duration::from_secs(8);

/// The same limit for a place reserved for peers, which send their first byte immediately.
const PEER_FIRST_BYTE_TIME: Duration = Duration::from_secs(2);

/// Time without activity after which a connection may make room for another one.
const RESTS_AFTER: Duration = Duration::from_secs(1);

/// Time that an ending HTTP/2 connection may take to close while nothing is in progress.
const LEAVE_TIME: Duration = Duration::from_secs(1);

/// Grace period of a silent connection after the process wakes. A request that was sent during the
/// suspension is read in this time and rejected with a reason; then the connection is closed.
const WOKEN_TIME: Duration = Duration::from_millis(200);

/// Maximum time that a client that has half-closed waits for its response: longer than any request
/// takes that is not held.
const HALF_CLOSED_TIME: Duration = Duration::from_secs(10);

/// Minimum size of the buffer for a request's head. A head over the limit must fit, so that it can
/// be rejected with a line of text.
const HEAD_BUFFER_BYTES: usize = 128 * 1024;

/// Maximum number of concurrent requests on an HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// The events that end a connection once its current request is answered.
#[derive(Clone)]
pub(super) struct Ends {
    /// A flag that becomes true when the server stops.
    pub(super) stopping: watch::Receiver<bool>,
    /// The epoch, which changes when the process wakes from a suspension.
    pub(super) wakes: watch::Receiver<u64>,
}

/// Serves a connection until it ends.
pub(super) async fn run<D: Discovery>(
    stream: TcpStream,
    origin: Origin,
    place: Place,
    shared: Arc<Shared<D>>,
    ends: Ends,
) {
    let Some(spoken) = first_bytes(&stream, origin, &place, &ends).await else {
        return;
    };
    let activity = Arc::new(Activity::new(now(), shared.parked_after, spoken));
    let max_head_bytes = shared.max_head_bytes;
    let (of_service, of_requests) = (activity.clone(), place.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let place = of_requests.clone();
        answer(shared.clone(), &of_service, origin, place, request).map(Ok::<_, Infallible>)
    });
    let stream = SharedStream::new(stream);
    let io = |unread: Bytes| {
        let watched = Watched::new(stream.clone(), unread, activity.clone());
        TokioIo::new(Worded::new(watched))
    };
    let watched = Looks {
        stream: &stream,
        activity: &activity,
        place: &place,
    };
    let told_to_leave = place.told_to_leave();
    let mut ended = Seldom::new(async {
        tokio::select! {
            () = told_to_leave => {}
            () = ends.stopping() => {}
            () = ends.woken(origin.opened_epoch) => {}
        }
    });
    if spoken == Spoken::Http2 {
        let connection = http2(max_head_bytes).serve_connection(io(Bytes::new()), service);
        // Boxed, since it is large and few connections use HTTP/2.
        let mut connection = Box::pin(connection);
        let shut_down = |it: Pin<&mut _>| http2::Connection::graceful_shutdown(it);
        serve(connection.as_mut(), shut_down, watched, &mut ended).await;
        return;
    }
    let mut unread = Bytes::new();
    loop {
        let mut connection = http1(max_head_bytes)
            .serve_connection(io(unread), service.clone())
            .with_upgrades();
        let shut_down = |it: Pin<&mut _>| http1::UpgradeableConnection::graceful_shutdown(it);
        let turn = serve(Pin::new(&mut connection), shut_down, watched, &mut ended).await;
        unread = match (turn, connection.into_parts()) {
            (Turn::Parked, Some(parts)) => parts.read_buf,
            _ => return,
        };
        // Empty lines before a request are ignored (RFC 9112, 2.2): some clients end a body with
        // one.
        if unread.iter().all(|byte| b"\r\n".contains(byte)) {
            // Even a short remainder would keep the whole buffer allocated.
            unread = Bytes::new();
            if !is_asked_again(watched, &mut ended).await {
                return;
            }
        }
    }
}

/// The parts of a connection that are checked independently of hyper.
#[derive(Clone, Copy)]
struct Looks<'a> {
    stream: &'a SharedStream,
    activity: &'a Activity,
    place: &'a Place,
}

/// The outcome of driving a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The connection has ended.
    Over,
    /// The connection waits long for its next request, and needs neither hyper nor its buffers
    /// (11 kB) for that.
    Parked,
}

/// Waits for the next request of a parked connection. Returns false if the connection is to be
/// closed instead.
async fn is_asked_again(looks: Looks<'_>, ended: &mut Seldom<impl Future<Output = ()>>) -> bool {
    let Looks {
        stream,
        activity,
        place,
    } = looks;
    place.idle();
    let is_asked = tokio::select! {
        // First, so that a request that has already arrived is answered.
        biased;
        () = stream.readable() => true,
        () = ended => false,
        () = tokio::time::sleep_until(activity.idle_until()) => false,
    };
    if is_asked {
        place.busy();
    }
    is_asked
}

/// Drives a connection until it ends, is to be parked, or its client is gone. Once `ended`
/// completes, shuts the connection down gracefully.
async fn serve<C: Future>(
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    watched: Looks<'_>,
    ended: &mut Seldom<impl Future<Output = ()>>,
) -> Turn {
    while drive(connection.as_mut(), &shut_down, watched, ended).await == Turn::Parked {
        // Another thread may have dropped a request body since hyper was last polled, and bytes
        // that arrive now are then not a request. hyper notices this when it is polled again, and
        // ends the connection.
        if poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_ready())).await {
            break;
        }
        if watched.activity.is_to_be_parked(now()) {
            return Turn::Parked;
        }
    }
    Turn::Over
}

/// One pass of [`serve`]. Before parking, the caller must poll hyper again: another thread may have
/// dropped a request body since.
async fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    looks: Looks<'_>,
    ended: &mut Seldom<impl Future<Output = ()>>,
) -> Turn {
    let mut left = pin!(left(looks));
    let mut ending = false;
    loop {
        tokio::select! {
            // First, so that a request that has already arrived is answered before the connection
            // ends.
            biased;
            // An error does not matter: each request has been answered, or its client is gone.
            _ = connection.as_mut() => return Turn::Over,
            () = &mut *ended, if !ending => {
                ending = true;
                shut_down(connection.as_mut());
                // Polls once more, so that the last HTTP/2 frame is sent. hyper then waits for the
                // client to confirm it.
                let is_over = poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_ready()));
                if is_over.await || looks.activity.has_nothing_under_way() {
                    return Turn::Over;
                }
            }
            () = tokio::time::sleep(LEAVE_TIME), if ending => {
                if looks.activity.rests() {
                    return Turn::Over;
                }
            }
            // Polled each time, since another future may have replaced the waker of the socket's
            // only reader.
            turn = left.as_mut() => return if ending { Turn::Over } else { turn },
        }
    }
}

/// Waits until a connection is to be parked, or closed because of its client's inactivity.
async fn left(looks: Looks<'_>) -> Turn {
    let Looks {
        stream,
        activity,
        place,
    } = looks;
    loop {
        // Needs no timer, since ten thousand lookups may be held: an event ends the wait.
        let waits = activity.is_answering() && !activity.is_sending();
        if waits && abandoned(stream, activity).await {
            return Turn::Over;
        }
        let at = now();
        if activity.is_to_be_parked(at) {
            return Turn::Parked;
        }
        let mut look_again = activity.deadline(at);
        if look_again <= at {
            return Turn::Over;
        }
        if activity.rests() {
            place.idle();
        } else if activity.has_nothing_under_way() {
            look_again = look_again.min(at + RESTS_AFTER);
        }
        tokio::time::sleep_until(look_again).await;
    }
}

/// Waits until no request is in flight, or a response is being sent that the client may not take.
/// Returns true if the client disconnects first.
async fn abandoned(stream: &SharedStream, activity: &Activity) -> bool {
    tokio::select! {
        () = activity.answered() => return false,
        () = stream.closed() => {}
    }
    // A client that half-closed may still wait for its response, but a held lookup must not keep
    // its permit for a client that is gone.
    tokio::select! {
        () = activity.answered() => false,
        () = tokio::time::sleep(HALF_CLOSED_TIME) => true,
    }
}

impl Ends {
    /// Waits until the server stops.
    async fn stopping(&self) {
        stopped(&mut self.stopping.clone()).await;
    }

    /// Waits until the process wakes in an epoch other than `opened_epoch`.
    async fn woken(&self, opened_epoch: u64) {
        let _ = self
            .wakes
            .clone()
            .wait_for(|epoch| *epoch != opened_epoch)
            .await;
    }
}

/// Waits for the client's first bytes. Returns `None` if the connection is to be closed instead.
async fn first_bytes(
    stream: &TcpStream,
    origin: Origin,
    place: &Place,
    ends: &Ends,
) -> Option<Spoken> {
    let patience = if place.for_peers() {
        PEER_FIRST_BYTE_TIME
    } else {
        FIRST_BYTE_TIME
    };
    let silent = async {
        tokio::time::sleep(RESTS_AFTER).await;
        place.idle();
        tokio::time::sleep(patience.saturating_sub(RESTS_AFTER)).await;
    };
    let given_up = async {
        tokio::select! {
            () = silent => {}
            () = place.told_to_leave() => {}
            () = ends.stopping() => {}
            () = async {
                ends.woken(origin.opened_epoch).await;
                tokio::time::sleep(WOKEN_TIME).await
            } => {}
        }
    };
    let spoken = tokio::select! {
        biased;
        spoken = h2_preface::of(stream) => spoken.ok(),
        () = given_up => None,
    };
    if spoken.is_some() {
        place.busy();
    }
    spoken
}

fn http1(max_head_bytes: usize) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // `Activity` limits the time for the head, and distinguishes it from an idle connection,
        // which hyper's own limit does not.
        .header_read_timeout(None)
        // A client may half-close after its last request and still wait for the response.
        .half_close(true)
        .max_buf_size(buffered_head_bytes(max_head_bytes));
    builder
}

fn http2(max_head_bytes: usize) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(
            u32::try_from(buffered_head_bytes(max_head_bytes)).unwrap_or(u32::MAX),
        );
    builder
}

/// Returns the maximum size of a request's head that is read at all.
fn buffered_head_bytes(max_head_bytes: usize) -> usize {
    HEAD_BUFFER_BYTES.max(2 * max_head_bytes)
}
