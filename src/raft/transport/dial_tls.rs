//! TLS on a connection to a peer.

use super::error::ProofError;
use super::peer_security::PeerProof;
use crate::security::{PeerKeys, PublicKey};
use rustls::pki_types::ServerName;
use std::net::Ipv4Addr;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Performs the TLS handshake with a peer, in which both ends prove that they have the secret.
///
/// # Errors
/// The reason why the two ends do not recognize each other.
pub(super) async fn secure(
    stream: TcpStream,
    keys: &PeerKeys,
) -> Result<(TlsStream<TcpStream>, PeerProof), ProofError> {
    // TLS asks for a name, which is neither sent nor checked: the key alone identifies a peer.
    let name = ServerName::from(Ipv4Addr::UNSPECIFIED);
    let connecting = TlsConnector::from(keys.client_config()).connect(name, stream);
    let stream = connecting.await?;
    match PublicKey::shown(stream.get_ref().1.peer_certificates()) {
        Some(key) => Ok((stream, PeerProof::Key(key))),
        // This arm is not reached, because the handshake fails without a key.
        None => Err(ProofError::NoProof),
    }
}
