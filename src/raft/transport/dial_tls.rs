//! TLS on a connection to a peer.

use super::error::{DialError, ProofError};
use super::peer_address::certified_host;
use super::peer_security::{PeerCredentials, PeerProof};
use rustls::pki_types::ServerName;
use std::net::Ipv4Addr;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Performs the TLS handshake with the peer at an address, in which both ends prove who they are.
///
/// # Errors
/// The reason why the two ends do not recognize each other.
pub(super) async fn secure(
    stream: TcpStream,
    credentials: &PeerCredentials,
    address: &str,
) -> Result<(TlsStream<TcpStream>, PeerProof), DialError> {
    let host = match credentials {
        // TLS asks for a name, which is neither sent nor checked: the key alone identifies a peer.
        PeerCredentials::Keys(_) => ServerName::from(Ipv4Addr::UNSPECIFIED),
        PeerCredentials::Certificates(_) => certified_host(address)?,
    };
    let connecting = TlsConnector::from(credentials.client_config()).connect(host, stream);
    let stream = connecting.await.map_err(|error| match credentials {
        PeerCredentials::Keys(_) => ProofError::of_key(error),
        PeerCredentials::Certificates(_) => ProofError::of_certificate(error),
    })?;
    match credentials.proof(stream.get_ref().1.peer_certificates()) {
        Some(proof) => Ok((stream, proof)),
        // This arm is not reached, because the handshake fails without a key or a certificate.
        None => Err(ProofError::NoProof.into()),
    }
}
