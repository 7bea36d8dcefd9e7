//! The life of one connection: its time limits, parking of idle connections, and its end when the
//! process stops or resumes.

use super::error_bodies::ErrorBodies;
use super::exchange::{ServerContext, respond};
use super::idle::ConnectionState;
use super::peekable_stream::PeekableStream;
use super::peer_tls;
use super::poll_on_wake::PollOnWake;
use super::protocol::{self, Protocol};
use super::tracked_io::TrackedIo;
use crate::clock::now;
use crate::http::backend::Backend;
use crate::http::connection_limiter::ConnectionPermit;
use crate::http::state::{ConnectionInfo, stopped};
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

/// Maximum time until the first byte of a new connection. The documented limit for a silent or slow
/// client is 10 s. The difference of 2 s is for a last response (such as 408), and for a node that
/// is busy with many such clients.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(8);

/// Like [`FIRST_BYTE_TIMEOUT`], for a connection with a permit reserved for peers. The time is
/// shorter, because peers send their first byte immediately.
const PEER_FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(2);

/// Time without activity after which a connection counts as idle, so that it may be closed to make
/// room for a new one.
const PARK_AFTER: Duration = Duration::from_secs(1);

/// Time after which an HTTP/2 connection that is shutting down is closed, if nothing is in
/// progress.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Time that a new connection has to send its first byte after the process resumes. A request that
/// was sent during the suspension is read in this time, and rejected with a reason. A silent
/// connection is closed.
const RESUMED_TIMEOUT: Duration = Duration::from_millis(200);

/// Maximum time that a connection whose client has half-closed is kept for the response. No request
/// takes longer, except for a held lookup.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(10);

/// Minimum size of the buffer for a request's head. The buffer is larger than the limit on heads,
/// so that a head over the limit can be read, and rejected with a line of text.
const HEAD_BUFFER_BYTES: usize = 128 * 1024;

/// Maximum number of concurrent requests on an HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// The events that end a connection once its current request is answered.
#[derive(Clone)]
pub(super) struct Shutdown {
    /// A flag that becomes true when the server stops.
    pub(super) stopping: watch::Receiver<bool>,
    /// The `PauseDetector` epoch, which changes when the process resumes from a suspension.
    pub(super) resumes: watch::Receiver<u64>,
}

/// Serves a connection until it ends, and parks it while it is idle between two requests.
pub(super) async fn run<D: Backend>(
    stream: TcpStream,
    connection_info: ConnectionInfo,
    permit: ConnectionPermit,
    shared: Arc<ServerContext<D>>,
    shutdown: Shutdown,
) {
    let takes_tls = shared.service.app().backend.peer_keys().is_some();
    let first = first_bytes(&stream, takes_tls, connection_info, &permit, &shutdown);
    let Some(protocol) = first.await else {
        return;
    };
    if protocol == Protocol::Tls {
        // Boxed, since this future is large and most connections are plain.
        let served = Box::pin(peer_tls::serve(stream, connection_info, permit, shared));
        futures_util::future::select(served, pin!(shutdown.stopping())).await;
        return;
    }
    let state = Arc::new(ConnectionState::new(now(), shared.parked_after, protocol));
    let max_head_bytes = shared.max_head_bytes;
    let (of_service, of_requests) = (state.clone(), permit.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let permit = of_requests.clone();
        respond(
            shared.clone(),
            &of_service,
            connection_info,
            permit,
            request,
        )
        .map(Ok::<_, Infallible>)
    });
    let stream = PeekableStream::new(stream);
    let io = |unread: Bytes| {
        let tracked = TrackedIo::new(stream.clone(), unread, state.clone());
        TokioIo::new(ErrorBodies::new(tracked))
    };
    let tracked = ConnectionParts {
        stream: &stream,
        state: &state,
        permit: &permit,
    };
    let asked_to_close = permit.asked_to_close();
    let mut ended = PollOnWake::new(async {
        tokio::select! {
            () = asked_to_close => {}
            () = shutdown.stopping() => {}
            () = shutdown.resumed(connection_info.opened_epoch) => {}
        }
    });
    if protocol == Protocol::Http2 {
        let connection = http2(max_head_bytes).serve_connection(io(Bytes::new()), service);
        // Boxed, since this future is large and few connections use HTTP/2.
        let mut connection = Box::pin(connection);
        let shut_down = |it: Pin<&mut _>| http2::Connection::graceful_shutdown(it);
        serve(connection.as_mut(), shut_down, tracked, &mut ended).await;
        return;
    }
    let mut unread = Bytes::new();
    loop {
        let mut connection = http1(max_head_bytes)
            .serve_connection(io(unread), service.clone())
            .with_upgrades();
        let shut_down = |it: Pin<&mut _>| http1::UpgradeableConnection::graceful_shutdown(it);
        let step = serve(Pin::new(&mut connection), shut_down, tracked, &mut ended).await;
        unread = match (step, connection.into_parts()) {
            (Step::Parked, Some(parts)) => parts.read_buf,
            _ => return,
        };
        // Empty lines before a request are ignored (RFC 9112, 2.2), because some clients send an
        // empty line after a body.
        if unread.iter().all(|byte| b"\r\n".contains(byte)) {
            // The unread bytes are released, because even a few of them would keep hyper's whole
            // buffer allocated.
            unread = Bytes::new();
            if !wait_for_next_request(tracked, &mut ended).await {
                return;
            }
        }
    }
}

/// The parts of a connection that are checked independently of hyper.
#[derive(Clone, Copy)]
struct ConnectionParts<'a> {
    stream: &'a PeekableStream,
    state: &'a ConnectionState,
    permit: &'a ConnectionPermit,
}

/// The outcome of driving a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The connection has ended.
    Over,
    /// The connection is idle between two requests, and is to be parked. Neither hyper nor its
    /// buffers (11 kB) are needed until the next request.
    Parked,
}

/// Waits for the next request of a parked connection. Returns false if the connection is to be
/// closed instead.
async fn wait_for_next_request(
    parts: ConnectionParts<'_>,
    ended: &mut PollOnWake<impl Future<Output = ()>>,
) -> bool {
    let ConnectionParts {
        stream,
        state,
        permit,
    } = parts;
    permit.idle();
    let is_asked = tokio::select! {
        // The socket is polled first, so that a request that has already arrived is answered.
        biased;
        () = stream.readable() => true,
        () = ended => false,
        () = tokio::time::sleep_until(state.idle_until()) => false,
    };
    if is_asked {
        permit.busy();
    }
    is_asked
}

/// Drives a connection until it ends or is to be parked, or until its client has disconnected. Once
/// `ended` completes, shuts the connection down gracefully.
async fn serve<C: Future>(
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    tracked: ConnectionParts<'_>,
    ended: &mut PollOnWake<impl Future<Output = ()>>,
) -> Step {
    while drive(connection.as_mut(), &shut_down, tracked, ended).await == Step::Parked {
        // Another thread may have dropped an incomplete request body since hyper was last polled.
        // Bytes that arrive now belong to that body and are not a request. This poll lets hyper
        // notice the drop and end the connection.
        if poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_ready())).await {
            break;
        }
        if tracked.state.is_to_be_parked(now()) {
            return Step::Parked;
        }
    }
    Step::Over
}

/// Runs one pass of [`serve`]. Before parking, the caller must poll hyper again, because another
/// thread may have dropped a request body in the meantime.
async fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    parts: ConnectionParts<'_>,
    ended: &mut PollOnWake<impl Future<Output = ()>>,
) -> Step {
    let mut idle_or_gone = pin!(idle_or_gone(parts));
    let mut ending = false;
    loop {
        tokio::select! {
            // The connection is polled first, so that a request that has already arrived is
            // answered before the connection ends.
            biased;
            // An error does not matter, because each request has been answered, or its client has
            // disconnected.
            _ = connection.as_mut() => return Step::Over,
            () = &mut *ended, if !ending => {
                ending = true;
                shut_down(connection.as_mut());
                // Polls once more, so that hyper sends the last HTTP/2 frame. hyper then waits for
                // the client to confirm the frame, which is unnecessary if nothing is in progress.
                let is_over = poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_ready()));
                if is_over.await || parts.state.has_nothing_under_way() {
                    return Step::Over;
                }
            }
            () = tokio::time::sleep(CLOSE_TIMEOUT), if ending => {
                if parts.state.is_idle() {
                    return Step::Over;
                }
            }
            // This wait is polled in every pass, because another future may have replaced its
            // waker. The socket keeps the waker of only one reader.
            step = idle_or_gone.as_mut() => return if ending { Step::Over } else { step },
        }
    }
}

/// Waits until a connection is to be parked, or is to be closed because its client is inactive or
/// has disconnected.
async fn idle_or_gone(parts: ConnectionParts<'_>) -> Step {
    let ConnectionParts {
        stream,
        state,
        permit,
    } = parts;
    loop {
        // No timer runs while a request waits for its response, because ten thousand lookups may be
        // held. The response or a disconnect ends this wait.
        let waits = state.is_answering() && !state.is_sending();
        if waits && abandoned(stream, state).await {
            return Step::Over;
        }
        let at = now();
        if state.is_to_be_parked(at) {
            return Step::Parked;
        }
        let mut recheck_at = state.deadline(at);
        if recheck_at <= at {
            return Step::Over;
        }
        if state.is_idle() {
            permit.idle();
        } else if state.has_nothing_under_way() {
            recheck_at = recheck_at.min(at + PARK_AFTER);
        }
        tokio::time::sleep_until(recheck_at).await;
    }
}

/// Waits until the requests in flight are answered or abandoned. Returns true if the client has
/// closed its side and no response begins within [`HALF_CLOSED_TIMEOUT`], otherwise false. Once a
/// response is being sent, the limit for stalled clients applies instead.
async fn abandoned(stream: &PeekableStream, state: &ConnectionState) -> bool {
    tokio::select! {
        () = state.answered() => return false,
        () = stream.closed() => {}
    }
    // A client that has only half-closed may still wait for its response. The wait is limited,
    // because a client that has disconnected looks the same. The held lookup of such a client must
    // not keep a permit.
    tokio::select! {
        () = state.answered() => false,
        () = tokio::time::sleep(HALF_CLOSED_TIMEOUT) => true,
    }
}

impl Shutdown {
    /// Waits until the server stops.
    async fn stopping(&self) {
        stopped(&mut self.stopping.clone()).await;
    }

    /// Waits until the process has resumed from a suspension after `opened_epoch`.
    async fn resumed(&self, opened_epoch: u64) {
        let _ = self
            .resumes
            .clone()
            .wait_for(|epoch| *epoch != opened_epoch)
            .await;
    }
}

/// Waits for the client's first bytes, and detects the protocol. Returns `None` if the
/// connection is to be closed instead.
async fn first_bytes(
    stream: &TcpStream,
    takes_tls: bool,
    connection_info: ConnectionInfo,
    permit: &ConnectionPermit,
    shutdown: &Shutdown,
) -> Option<Protocol> {
    let timeout = if permit.for_peers() {
        PEER_FIRST_BYTE_TIMEOUT
    } else {
        FIRST_BYTE_TIMEOUT
    };
    let silent = async {
        tokio::time::sleep(PARK_AFTER).await;
        permit.idle();
        tokio::time::sleep(timeout.saturating_sub(PARK_AFTER)).await;
    };
    let given_up = async {
        tokio::select! {
            () = silent => {}
            () = permit.asked_to_close() => {}
            () = shutdown.stopping() => {}
            () = async {
                shutdown.resumed(connection_info.opened_epoch).await;
                tokio::time::sleep(RESUMED_TIMEOUT).await
            } => {}
        }
    };
    let protocol = tokio::select! {
        biased;
        protocol = protocol::detect(stream, takes_tls) => protocol.ok(),
        () = given_up => None,
    };
    if protocol.is_some() {
        permit.busy();
    }
    protocol
}

/// Returns the settings with which hyper serves an HTTP/1 connection.
fn http1(max_head_bytes: usize) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // `ConnectionState` limits the time for the head. hyper's own limit cannot be used,
        // because it does not distinguish an incomplete head from an idle connection.
        .header_read_timeout(None)
        // A client may half-close after its last request and still wait for the response.
        .half_close(true)
        .max_buf_size(buffered_head_bytes(max_head_bytes))
        // A fast client can fill the buffer beyond its maximum in one read.
        .max_header_size(buffered_head_bytes(max_head_bytes));
    builder
}

/// Returns the settings with which hyper serves an HTTP/2 connection.
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

/// Returns the maximum size of a request's head that hyper reads. Larger heads are rejected by
/// hyper.
fn buffered_head_bytes(max_head_bytes: usize) -> usize {
    HEAD_BUFFER_BYTES.max(2 * max_head_bytes)
}
