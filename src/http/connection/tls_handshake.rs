//! The TLS handshake. The ALPN protocol in the client's hello distinguishes peers from clients.

#[cfg(feature = "fuzzing")]
use super::protocol::Protocol;
use super::stream::PeekableStream;
use crate::clock::now;
use crate::planted::{Bug, is_planted};
use crate::security::PEER_ALPN;
use futures_util::future::poll_immediate;
use rustls::server::{Acceptor, ClientHello};
use rustls::{AlertDescription, CertificateError, Error, ServerConfig};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// Maximum number of handshakes of clients whose next step is running or is ready to run. A step
/// takes up to a few milliseconds, so a thousand steps in the run queue would delay heartbeats by
/// an election timeout. A handshake that waits for its client does not count, so that silent
/// clients do not block others.
static COMPUTING_CLIENTS: Semaphore = Semaphore::const_new(2);

/// Like [`COMPUTING_CLIENTS`], for handshakes of peers, which must not queue behind thousands of
/// clients.
static COMPUTING_PEERS: Semaphore = Semaphore::const_new(2);

/// Maximum number of steps of a handshake. A client takes two to four. A client that sends its
/// bytes one by one would cause one step for each byte.
const STEPS_MAX: usize = 16;

/// The reason for refusing a client that asks for HTTPS where there is none.
const ONLY_PEERS: &str = "TLS is only for peers";

/// The reason for refusing a peer that proves a secret to a node that has none.
const NO_PROOFS: &str = "a peer with a shared secret, and cluster.peer-authentication is off here";

/// The settings of the handshakes on a port.
pub(super) struct TlsConfigs {
    /// For peers. `None` if peers prove nothing.
    pub(super) peers: Option<Arc<ServerConfig>>,
    /// For clients. `None` if this port does not serve HTTPS.
    pub(super) clients: Option<Arc<ServerConfig>>,
}

/// A connection whose handshake is complete.
pub(super) enum SecuredStream {
    /// A connection for the peer protocol.
    Peer(TlsStream<PeekableStream>),
    /// A connection for HTTP.
    Client(TlsStream<PeekableStream>),
}

/// Performs a handshake. The client may let this node wait for `client_time` in all. The time that
/// the handshake waits for its turn on this node does not count.
///
/// # Errors
/// When the handshake fails, or when the client takes too long or sends too many pieces.
pub(super) async fn accept(
    stream: PeekableStream,
    configs: &TlsConfigs,
    client_time: Duration,
) -> io::Result<SecuredStream> {
    let mut waits = ClientWaits(client_time);
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream);
    let start = waits.during(start).await?;
    let is_peer = is_peer(&start.client_hello());
    let (config, computing_slots) = match (is_peer, &configs.peers, &configs.clients) {
        (true, Some(config), _) => (config.clone(), &COMPUTING_PEERS),
        (false, _, Some(config)) => (config.clone(), &COMPUTING_CLIENTS),
        (true, None, _) => {
            return Err(io::Error::new(io::ErrorKind::Unsupported, NO_PROOFS));
        }
        (false, _, None) => {
            return Err(io::Error::new(io::ErrorKind::Unsupported, ONLY_PEERS));
        }
    };
    let mut computing = turn(computing_slots).await?;
    // This call is the first step, which computes a signature. The client's answer contains a
    // signature that a later step checks, and may require this node to sign again.
    let mut accepting = start.into_stream(config);
    for _ in 0..STEPS_MAX {
        let done = poll_immediate(&mut accepting).await;
        tokio::task::yield_now().await;
        if !is_planted(Bug::PermitHeldWhileWaiting) {
            drop(computing.take());
        }
        if let Some(done) = done {
            return Ok(match is_peer {
                true => SecuredStream::Peer(done?),
                false => SecuredStream::Client(done?),
            });
        }
        if let Some(stream) = accepting.get_ref() {
            let readable = async {
                stream.readable().await;
                Ok(())
            };
            waits.during(readable).await?;
        }
        if !is_planted(Bug::PermitHeldWhileWaiting) {
            computing = turn(computing_slots).await?;
        }
    }
    Err(io::Error::other("the client sends it in too many pieces"))
}

/// Returns whether a hello asks for the peer protocol.
fn is_peer(hello: &ClientHello<'_>) -> bool {
    hello
        .alpn()
        .is_some_and(|mut protocols| protocols.any(|protocol| protocol == PEER_ALPN))
}

/// Detects the protocol of the first bytes of a connection and, if that is TLS, reads the client's
/// hello, for fuzzing.
#[cfg(feature = "fuzzing")]
pub fn first_bytes(bytes: &[u8]) {
    let is_tls = super::protocol::detect_in(bytes) == Protocol::Tls;
    let (mut acceptor, mut rest) = (Acceptor::default(), bytes);
    while is_tls && acceptor.read_tls(&mut rest).is_ok_and(|read| read > 0) {
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let _ = is_peer(&accepted.client_hello());
                return;
            }
            Err(_) => return,
        }
    }
}

/// Waits until the next step of a handshake may run.
async fn turn(slots: &'static Semaphore) -> io::Result<Option<SemaphorePermit<'static>>> {
    if is_planted(Bug::UnlimitedHandshakes) {
        return Ok(None);
    }
    slots.acquire().await.map(Some).map_err(io::Error::other)
}

/// The time for which this node still waits for the client.
struct ClientWaits(Duration);

impl ClientWaits {
    /// Waits for the client, at most for the remaining time.
    async fn during<T>(&mut self, wait: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let began = now();
        let waited = tokio::time::timeout(self.0, wait).await;
        self.0 = self.0.saturating_sub(now().duration_since(began));
        waited.map_err(|_| io::Error::other("the client takes too long"))?
    }
}

/// Returns the reason for a failed handshake in the terms of the configuration.
pub(super) fn reason(error: &io::Error) -> String {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(
            Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
            | Error::AlertReceived(AlertDescription::AccessDenied),
        ) => "a peer with another shared secret".to_owned(),
        Some(Error::NoCertificatesPresented) => "a peer that shows no key".to_owned(),
        // The client chooses the number, which would make each refusal a reason of its own.
        Some(Error::AlertReceived(AlertDescription::Unknown(_))) => {
            "a TLS handshake that failed: received an unknown alert".to_owned()
        }
        Some(other) => format!("a TLS handshake that failed: {other}"),
        None if error.kind() == io::ErrorKind::Unsupported => error.to_string(),
        None => format!("a TLS handshake that failed: {error}"),
    }
}
