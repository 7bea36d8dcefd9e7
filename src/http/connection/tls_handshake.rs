//! The TLS handshake. The ALPN protocol in the client's hello distinguishes peers from clients.

#[cfg(feature = "fuzzing")]
use super::protocol::Protocol;
use super::stream::PeekableStream;
use crate::clock::now;
use crate::planted::{Bug, is_planted};
use crate::raft::{PeerCredentials, PeerProof};
use crate::security::{PEER_ALPN, certificate_problem, is_about_certificate};
use futures_util::future::poll_immediate;
use rustls::server::{Acceptor, ClientHello};
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible, ServerConfig};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

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

/// The reason why a handshake failed, in the terms of the configuration. The `Display` output is
/// the same for each client with the same problem, so that refusals can be counted.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// A client asks for HTTPS where there is none.
    #[error("TLS is only for peers")]
    OnlyPeers,
    /// A peer proves who it is to a node that cannot check it.
    #[error("a peer that proves who it is, and cluster.peer-authentication is off here")]
    NoProofs,
    /// The handshake of a client failed, or of anyone before it said whether it is a peer.
    #[error("{}", of_client(.0))]
    Client(io::Error),
    /// The handshake of a peer failed, and this node shows the key of a shared secret.
    #[error("{}", of_key_peer(.0))]
    KeyPeer(io::Error),
    /// The handshake of a peer failed, and this node shows a certificate.
    #[error("{}", of_certificate_peer(.0))]
    CertificatePeer(io::Error),
}

/// The settings of the handshakes on a port.
pub(super) struct TlsConfigs {
    /// For peers. `None` if peers prove nothing.
    pub(super) peers: Option<PeerCredentials>,
    /// For clients. `None` if this port does not serve HTTPS.
    pub(super) clients: Option<Arc<ServerConfig>>,
}

/// A connection whose handshake is complete.
pub(super) enum SecuredStream {
    /// A connection for the peer protocol, and the proof that the peer has given.
    Peer(TlsStream<PeekableStream>, PeerProof),
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
) -> Result<SecuredStream, HandshakeError> {
    let mut waits = ClientWaits(client_time);
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream);
    let start = waits.during(start).await.map_err(HandshakeError::Client)?;
    if !is_peer(&start.client_hello()) {
        let config = configs.clients.clone().ok_or(HandshakeError::OnlyPeers)?;
        let stream = complete(start, config, &COMPUTING_CLIENTS, waits).await;
        return stream
            .map(SecuredStream::Client)
            .map_err(HandshakeError::Client);
    }
    let credentials = configs.peers.as_ref().ok_or(HandshakeError::NoProofs)?;
    let failed = |error| match credentials {
        PeerCredentials::Keys(_) => HandshakeError::KeyPeer(error),
        PeerCredentials::Certificates(_) => HandshakeError::CertificatePeer(error),
    };
    let config = credentials.server_config();
    let stream = complete(start, config, &COMPUTING_PEERS, waits).await;
    let stream = stream.map_err(failed)?;
    match credentials.proof(stream.get_ref().1.peer_certificates()) {
        Some(proof) => Ok(SecuredStream::Peer(stream, proof)),
        None => Err(failed(io::Error::other(Error::NoCertificatesPresented))),
    }
}

/// Performs the rest of a handshake, after the client's hello.
async fn complete(
    start: StartHandshake<PeekableStream>,
    config: Arc<ServerConfig>,
    computing_slots: &'static Semaphore,
    mut waits: ClientWaits,
) -> io::Result<TlsStream<PeekableStream>> {
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
            return done;
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

/// Returns the error of the TLS library inside an error of the system.
fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// Returns the reason for the failed handshake of a client.
fn of_client(error: &io::Error) -> String {
    let reason = match tls_error(error) {
        // The client chooses the number, which would make each refusal a reason of its own.
        Some(Error::AlertReceived(AlertDescription::Unknown(_))) => {
            "received an unknown alert".to_owned()
        }
        Some(Error::InvalidCertificate(problem)) => {
            let problem = certificate_problem(problem);
            format!("invalid peer certificate: {problem}")
        }
        Some(other) => other.to_string(),
        None => error.to_string(),
    };
    format!("a TLS handshake that failed: {reason}")
}

/// Returns the reason for the failed handshake of a peer, if this node shows the key of a secret.
fn of_key_peer(error: &io::Error) -> String {
    match tls_error(error) {
        Some(
            Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
            | Error::AlertReceived(AlertDescription::AccessDenied),
        ) => "a peer with another shared secret".to_owned(),
        Some(Error::NoCertificatesPresented) => "a peer that shows no key".to_owned(),
        Some(Error::PeerIncompatible(PeerIncompatible::IncorrectCertificateTypeExtension)) => {
            "a peer that shows no key of a shared secret, but perhaps a certificate".to_owned()
        }
        _ => of_client(error),
    }
}

/// Returns the reason for the failed handshake of a peer, if this node shows a certificate.
fn of_certificate_peer(error: &io::Error) -> String {
    match tls_error(error) {
        Some(Error::InvalidCertificate(problem)) => {
            let problem = certificate_problem(problem);
            format!("a peer whose certificate is not accepted: {problem}")
        }
        Some(Error::AlertReceived(alert)) if is_about_certificate(*alert) => {
            format!("a peer that does not accept the certificate of this node ({alert:?})")
        }
        Some(Error::NoCertificatesPresented) => "a peer that shows no certificate".to_owned(),
        Some(Error::PeerIncompatible(PeerIncompatible::IncorrectCertificateTypeExtension)) => {
            "a peer that shows the key of a shared secret, and cluster.peer-authentication is \
             certificate here"
                .to_owned()
        }
        _ => of_client(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{PeerKeys, SecretList};
    use rustls::ClientConnection;
    use rustls::pki_types::ServerName;
    use std::io::Read;
    use std::net::Ipv4Addr;

    /// The time that the client may take.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// A handshake whose client has sent everything goes on only when it is its turn.
    #[tokio::test]
    async fn a_step_waits_for_its_turn() {
        let slots: &Semaphore = Box::leak(Box::new(Semaphore::new(0)));
        let secrets = SecretList::parse("a-secret-of-32-bytes-or-much-more").expect("a list");
        let keys = PeerKeys::derive(&secrets, "test").expect("keys");
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut socket = std::net::TcpStream::connect(address).expect("it accepts");
        let name = ServerName::try_from("peer").expect("a name");
        let mut client = ClientConnection::new(keys.client_config(), name).expect("a client");
        client.write_tls(&mut socket).expect("the socket is empty");
        let (accepted, _) = listener.accept().await.expect("a connection");
        let stream = PeekableStream::new(accepted);
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await;
        let start = start.expect("a hello");
        let waits = ClientWaits(PATIENCE);
        let mut completing = Box::pin(complete(start, keys.server_config(), slots, waits));

        assert!(poll_immediate(&mut completing).await.is_none());
        socket.set_nonblocking(true).expect("a socket");
        let answer = socket.read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(answer, Err(io::ErrorKind::WouldBlock), "it does not wait");

        slots.add_permits(1);
        assert!(poll_immediate(&mut completing).await.is_none());
        let answer = socket.read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(answer, Ok(1), "its turn has come");
    }
}
