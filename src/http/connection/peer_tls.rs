//! The TLS handshake of a peer. The ALPN protocol in the handshake distinguishes a peer from other
//! clients.

use super::exchange::ServerContext;
use crate::http::backend::Backend;
use crate::http::connection_limiter::ConnectionPermit;
use crate::http::state::ConnectionInfo;
use crate::raft::PeerProof;
use crate::security::{PEER_ALPN, PublicKey};
use futures_util::future::poll_immediate;
use rustls::server::Acceptor;
use rustls::{AlertDescription, CertificateError, Error, ServerConfig};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// Maximum duration of a handshake after its first byte. A peer takes milliseconds.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum number of handshakes whose next step is running or is ready to run. Each step takes a
/// fraction of a millisecond, so a thousand steps in the run queue would delay heartbeats by an
/// election timeout. A handshake that waits for its client does not count, so that silent clients
/// do not block others.
static COMPUTING: Semaphore = Semaphore::const_new(2);

/// Maximum number of steps of a handshake. A peer takes two to four. A client that sends its bytes
/// one by one would cause one step for each byte.
const STEPS_MAX: usize = 16;

/// The reason for refusing a client that asks for HTTPS.
const ONLY_PEERS: &str = "TLS is only for peers";

/// Serves a connection whose first bytes are a TLS handshake: performs the handshake, and hands the
/// connection over to the peer protocol.
pub(super) async fn serve<D: Backend>(
    stream: TcpStream,
    connection_info: ConnectionInfo,
    permit: ConnectionPermit,
    shared: Arc<ServerContext<D>>,
) {
    let app = shared.service.app();
    let Some(keys) = app.backend.peer_keys() else {
        return;
    };
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, accept(stream, keys.server_config()));
    let reason = match handshake.await {
        Ok(Ok(stream)) => match PublicKey::shown(stream.get_ref().1.peer_certificates()) {
            Some(key) => {
                permit.mark_active();
                let (app, epoch) = (app.clone(), connection_info.opened_epoch);
                // Runs in its own task, because peers are served until the group has stopped, and
                // the HTTP server stops before the group.
                tokio::spawn(async move {
                    app.backend
                        .serve_peer(stream, PeerProof::Key(key), epoch)
                        .await;
                    drop(permit);
                });
                return;
            }
            None => "a peer that shows no key".to_owned(),
        },
        Ok(Err(error)) => reason(&error),
        Err(_) => "a TLS handshake that takes too long".to_owned(),
    };
    app.refusals.note(connection_info.address.ip(), "", &reason);
}

/// Performs the handshake.
async fn accept(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<TlsStream<TcpStream>> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let is_peer = start
        .client_hello()
        .alpn()
        .is_some_and(|mut protocols| protocols.any(|protocol| protocol == PEER_ALPN));
    if !is_peer {
        return Err(io::Error::new(io::ErrorKind::Unsupported, ONLY_PEERS));
    }
    let mut computing = COMPUTING.acquire().await.map_err(io::Error::other)?;
    // This call is the first step, which computes a signature. The client's answer contains a
    // signature that a later step checks, and may require this node to sign again.
    let mut accepting = start.into_stream(config);
    for _ in 0..STEPS_MAX {
        let done = poll_immediate(&mut accepting).await;
        tokio::task::yield_now().await;
        drop(computing);
        if let Some(done) = done {
            return done;
        }
        if let Some(stream) = accepting.get_ref() {
            stream.readable().await?;
        }
        computing = COMPUTING.acquire().await.map_err(io::Error::other)?;
    }
    Err(io::Error::other("the client sends it in too many pieces"))
}

/// Returns the reason for a failed handshake in the terms of the configuration.
fn reason(error: &io::Error) -> String {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(
            Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
            | Error::AlertReceived(AlertDescription::AccessDenied),
        ) => "a peer with another shared secret".to_owned(),
        Some(Error::NoCertificatesPresented) => "a peer that shows no key".to_owned(),
        Some(other) => format!("a TLS handshake that failed: {other}"),
        None if error.kind() == io::ErrorKind::Unsupported => ONLY_PEERS.to_owned(),
        None => format!("a TLS handshake that failed: {error}"),
    }
}
