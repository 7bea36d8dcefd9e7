//! The loop that accepts connections, and the end of all of them at shutdown.

use super::backlog::{AcceptedConnection, Backlog};
use super::descriptors::fit_descriptors;
use super::driver::{self, Shutdown};
use super::exchange::ServerContext;
use crate::clock::PauseDetector;
use crate::http::access_record::AccessLog;
use crate::http::backend::Backend;
use crate::http::connection_limiter::{ConnectionLimiter, LimitReached};
use crate::http::service::RootService;
use crate::http::settings::HttpSettings;
use crate::http::state::{AppState, ConnectionInfo};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Maximum time for requests in flight once the server stops: the cluster's limit for a response
/// (2 s), and some time to send it.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// The response on a connection for which there is no place, if its socket accepts it immediately.
const LIMIT_RESPONSE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Retry-After: 1\r\nQuorate-Applied: no\r\nConnection: close\r\nContent-Length: 36\r\n\r\n\
    This node has too many connections.\n";

/// Runs the HTTP server until `shutdown` completes. Then stops accepting connections, finishes the
/// requests in flight within 3 s, and returns.
///
/// At startup, raises the process's soft limit of file descriptors to the hard limit.
pub async fn serve<D: Backend>(
    listener: TcpListener,
    discovery: D,
    mut settings: HttpSettings,
    beat: PauseDetector,
    access_log: Option<AccessLog>,
    shutdown: impl Future<Output = ()>,
) {
    settings.max_connections = fit_descriptors(settings.max_connections);
    let places = ConnectionLimiter::new(
        settings.max_connections,
        settings.max_connections_per_address,
    );
    let (max_head_bytes, parked_after) = (settings.max_head_bytes(), settings.parked_after);
    let (stop, stopping) = watch::channel(false);
    let usage = settings.usage.clone();
    let app = AppState::shared(discovery, settings, beat.clone(), stopping.clone());
    {
        let (app, places) = (app.clone(), places.clone());
        usage.fill(move || app.usage(places.held()));
    }
    let shared = Arc::new(ServerContext {
        front: RootService::new(app),
        access_log,
        max_head_bytes,
        parked_after,
    });
    let ends = Shutdown {
        stopping,
        resumes: beat.resumes(),
    };
    let mut backlog = Backlog::new(listener, beat);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            // While the maximum number of connections is leaving, a new one stays in the kernel's
            // backlog until one of them has closed its socket.
            accepted = backlog.next(), if !places.is_closing() => {
                if let Some(connection) = admit(accepted, &places, &shared, &ends) {
                    connections.spawn(connection);
                }
            }
        }
    }
    drop(backlog);
    stop.send_replace(true);
    drain(connections).await;
}

fn admit<D: Backend>(
    accepted: AcceptedConnection,
    places: &ConnectionLimiter,
    shared: &Arc<ServerContext<D>>,
    ends: &Shutdown,
) -> Option<impl Future<Output = ()> + Send + 'static + use<D>> {
    let AcceptedConnection {
        stream,
        address,
        opened_epoch,
    } = accepted;
    match places.acquire(address.ip()) {
        Ok(place) => {
            let origin = ConnectionInfo {
                address,
                opened_epoch,
            };
            Some(driver::run(
                stream,
                origin,
                place,
                shared.clone(),
                ends.clone(),
            ))
        }
        Err(full) => {
            reject(&stream, full);
            None
        }
    }
}

fn reject(stream: &TcpStream, full: LimitReached) {
    // Best effort: the acceptor must not wait for a client that does not read.
    let _ = stream.try_write(LIMIT_RESPONSE);
    tracing::debug!(target: "quorate::http::accept", ?full, "a connection was turned away");
}

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

    /// The response to a connection without a place has the right `Content-Length`.
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
