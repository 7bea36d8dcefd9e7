//! The loop that accepts connections, and the drain of all open connections at shutdown.

use super::backlog::{AcceptedConnection, Backlog};
use super::descriptors::fit_descriptors;
use super::driver;
use super::exchange::ServerContext;
use super::shutdown::Shutdown;
use crate::clock::PauseDetector;
use crate::http::access_record::AccessLog;
use crate::http::backend::Backend;
use crate::http::connection_limiter::{ConnectionLimiter, LimitReached};
use crate::http::metrics::Refusal;
use crate::http::service::RootService;
use crate::http::settings::HttpSettings;
use crate::http::state::{AppState, ConnectionInfo};
use futures_util::future::select_all;
use rustls::ServerConfig;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Maximum time for requests in flight once the server stops: 2 s, within which the cluster
/// responds, and 1 s to send the response.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// The response to a connection that gets no permit from the [`ConnectionLimiter`]. The response is
/// sent only if the socket accepts it immediately.
const LIMIT_RESPONSE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Retry-After: 1\r\nQuorate-Applied: no\r\nConnection: close\r\nContent-Length: 36\r\n\r\n\
    This node has too many connections.\n";

/// A socket that the HTTP server listens on.
#[derive(Debug)]
pub struct HttpListener {
    /// The socket.
    pub socket: TcpListener,
    /// The TLS settings that are valid now, for a socket that serves HTTPS. `None` for plain HTTP.
    pub https: Option<watch::Receiver<Arc<ServerConfig>>>,
}

impl HttpListener {
    /// Creates a listener for plain HTTP.
    pub fn plain(socket: TcpListener) -> HttpListener {
        let https = None;
        HttpListener { socket, https }
    }
}

/// The backlog of a listener.
struct ListenerBacklog {
    backlog: Backlog,
    https: Option<watch::Receiver<Arc<ServerConfig>>>,
}

/// Returns the next connection of any listener, with the TLS settings for it. Cancel-safe, like
/// [`Backlog::next`].
async fn next_of(
    backlogs: &mut [ListenerBacklog],
) -> (AcceptedConnection, Option<Arc<ServerConfig>>) {
    // A listener with many connections must not delay those of the others.
    backlogs.rotate_left(1.min(backlogs.len()));
    let accepted = backlogs.iter_mut().map(|listener| {
        let ListenerBacklog { backlog, https } = listener;
        Box::pin(async move {
            let accepted = backlog.next().await;
            (accepted, https.as_ref().map(|https| https.borrow().clone()))
        })
    });
    let (accepted, _, _) = select_all(accepted).await;
    accepted
}

/// Runs the HTTP server until `until_stopped` completes. Then stops accepting connections, finishes
/// the requests in flight within 3 s, and returns.
///
/// At startup, raises the process's soft limit of file descriptors to the hard limit.
pub async fn serve<D: Backend>(
    listeners: Vec<HttpListener>,
    backend: D,
    mut settings: HttpSettings,
    pause_detector: PauseDetector,
    access_log: Option<AccessLog>,
    until_stopped: impl Future<Output = ()>,
) {
    settings.max_connections = fit_descriptors(settings.max_connections);
    let limiter = ConnectionLimiter::new(
        settings.max_connections,
        settings.max_connections_per_address,
    );
    let (max_head_bytes, parked_after) = (settings.max_head_bytes(), settings.parked_after);
    let (stop, stopping) = watch::channel(false);
    let usage = settings.usage.clone();
    let app = AppState::shared(backend, settings, pause_detector.clone(), stopping);
    {
        let (app, limiter) = (app.clone(), limiter.clone());
        usage.fill(move || app.usage(limiter.taken()));
    }
    let shared = Arc::new(ServerContext {
        service: RootService::new(app),
        access_log,
        max_head_bytes,
        parked_after,
    });
    let mut resumes = pause_detector.resumes();
    let (phase, shutdown) = Shutdown::channel(*resumes.borrow_and_update());
    let mut backlogs: Vec<ListenerBacklog> = listeners
        .into_iter()
        .map(|HttpListener { socket, https }| ListenerBacklog {
            backlog: Backlog::new(socket, pause_detector.clone()),
            https,
        })
        .collect();
    let mut connections = JoinSet::new();
    let mut until_stopped = pin!(until_stopped);
    loop {
        tokio::select! {
            () = &mut until_stopped => break,
            Some(_) = connections.join_next() => {}
            Ok(()) = resumes.changed() => {
                let epoch = *resumes.borrow_and_update();
                phase.send_modify(|phase| phase.epoch = epoch);
            }
            // While too many connections are about to close, a new connection stays in the kernel's
            // backlog. The reason is that each closing connection still uses a file descriptor.
            (accepted, https) = next_of(&mut backlogs), if !limiter.is_closing() => {
                if let Some(connection) = admit(accepted, https, &limiter, &shared, &shutdown) {
                    connections.spawn(connection);
                }
            }
        }
    }
    drop(backlogs);
    stop.send_replace(true);
    phase.send_modify(|phase| phase.is_stopping = true);
    drain(connections).await;
}

/// Acquires a permit for an accepted connection, and returns the future that serves the connection.
/// If there is no permit, rejects the connection and returns `None`.
fn admit<D: Backend>(
    accepted: AcceptedConnection,
    https: Option<Arc<ServerConfig>>,
    limiter: &ConnectionLimiter,
    shared: &Arc<ServerContext<D>>,
    shutdown: &Shutdown,
) -> Option<impl Future<Output = ()> + Send + 'static + use<D>> {
    let AcceptedConnection {
        stream,
        address,
        opened_epoch,
    } = accepted;
    match limiter.acquire(address.ip()) {
        Ok(permit) => {
            let connection_info = ConnectionInfo {
                address,
                is_https: https.is_some(),
                certificate: None,
                opened_epoch,
            };
            Some(driver::run(
                stream,
                https,
                connection_info,
                permit,
                shared.clone(),
                shutdown.clone(),
            ))
        }
        Err(limit) => {
            let metrics = &shared.service.app().metrics;
            metrics.count_refusal(Refusal::Connections);
            reject(&stream, limit, https.is_some());
            None
        }
    }
}

/// Rejects a connection, with 503 if it is plain.
fn reject(stream: &TcpStream, limit: LimitReached, is_https: bool) {
    // Best effort: the acceptor must not wait for a client that does not read. A client that
    // expects TLS could not read the response.
    if !is_https {
        let _ = stream.try_write(LIMIT_RESPONSE);
    }
    tracing::debug!(target: "quorate::http::accept", full = ?limit, "a connection was turned away");
}

/// Waits until all connections have ended, and cuts off the rest after [`DRAIN_TIMEOUT`].
async fn drain(mut connections: JoinSet<()>) {
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIMEOUT, all).await.is_err() {
        tracing::warn!(
            target: "quorate::http::accept",
            "{} connections were cut off while stopping",
            connections.len()
        );
        connections.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The response to a connection without a permit has the right `Content-Length`.
    #[test]
    fn the_full_answer_is_well_formed() {
        let text = std::str::from_utf8(LIMIT_RESPONSE).expect("ascii");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(
            head.ends_with(&format!("Content-Length: {}", body.len())),
            "{head}"
        );
    }
}
