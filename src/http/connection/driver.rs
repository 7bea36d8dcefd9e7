//! The life of one connection: its time limits, parking of idle connections, and its end when the
//! process stops or resumes.

use super::exchange::{ServerContext, respond};
use super::hyper_settings::{http1, http2};
use super::idle::ConnectionState;
use super::opening::{OpenConnection, Opening, PARK_AFTER};
use super::poll_on_wake::PollOnWake;
use super::protocol::Protocol;
use super::shutdown::Shutdown;
use super::stream::{ClientStream, ErrorBodies, TrackedIo};
use crate::clock::now;
use crate::http::backend::Backend;
use crate::http::connection_limiter::ConnectionPermit;
use crate::http::state::ConnectionInfo;
use bytes::Bytes;
use futures_util::FutureExt;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;

/// Time after which an HTTP/2 connection that is shutting down is closed, if nothing is in
/// progress.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum time that a connection whose client has half-closed is kept for the response. No request
/// takes longer, except for a held lookup.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a connection until it ends, and parks it while it is idle between two requests.
pub(super) async fn run<D: Backend>(
    stream: TcpStream,
    https: Option<Arc<ServerConfig>>,
    connection_info: ConnectionInfo,
    permit: ConnectionPermit,
    shared: Arc<ServerContext<D>>,
    shutdown: Shutdown,
) {
    let opening = Opening {
        https,
        connection_info,
        permit: &permit,
        shared: &shared,
        shutdown: &shutdown,
    };
    // Boxed, since this future is large and ends before the first request.
    let Some(open) = Box::pin(opening.open(stream)).await else {
        return;
    };
    serve_client(&open, &permit, &shared, &shutdown).await;
    open.stream.end();
}

/// Serves an open connection until it ends.
async fn serve_client<D: Backend>(
    open: &OpenConnection,
    permit: &ConnectionPermit,
    shared: &Arc<ServerContext<D>>,
    shutdown: &Shutdown,
) {
    let OpenConnection {
        stream,
        protocol,
        connection_info,
    } = open;
    let state = Arc::new(ConnectionState::new(now(), shared.parked_after, *protocol));
    let service = service_fn(|request: Request<Incoming>| {
        respond(
            shared.clone(),
            &state,
            connection_info.clone(),
            permit.clone(),
            request,
        )
        .map(Ok::<_, Infallible>)
    });
    let io = |unread: Bytes| {
        let tracked = TrackedIo::new(stream.clone(), unread, state.clone());
        TokioIo::new(ErrorBodies::new(tracked))
    };
    let tracked = ConnectionParts {
        stream,
        state: &state,
        permit,
    };
    let mut ended = PollOnWake::new(async {
        tokio::select! {
            () = permit.asked_to_close() => {}
            () = shutdown.ended(connection_info.opened_epoch) => {}
        }
    });
    // Boxed, since few connections use HTTP/2, and since a parked connection must not keep the
    // memory of hyper's connection.
    if *protocol == Protocol::Http2 {
        let served = Box::pin(async {
            let connection =
                http2(shared.max_head_bytes).serve_connection(io(Bytes::new()), &service);
            let shut_down = |it: Pin<&mut _>| http2::Connection::graceful_shutdown(it);
            serve(pin!(connection), shut_down, tracked, &mut ended).await;
        });
        return served.await;
    }
    let mut unread = Bytes::new();
    loop {
        let served = Box::pin(async {
            let io = io(std::mem::take(&mut unread));
            let connection = http1(shared.max_head_bytes).serve_connection(io, &service);
            let mut connection = connection.with_upgrades();
            let shut_down = |it: Pin<&mut _>| http1::UpgradeableConnection::graceful_shutdown(it);
            match serve(Pin::new(&mut connection), shut_down, tracked, &mut ended).await {
                Step::Over => None,
                Step::Parked => connection.into_parts(),
            }
        });
        unread = match served.await {
            Some(parts) => parts.read_buf,
            None => return,
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
    stream: &'a ClientStream,
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
async fn abandoned(stream: &ClientStream, state: &ConnectionState) -> bool {
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
