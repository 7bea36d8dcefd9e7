//! TLS on a connection to a peer.

use super::peer_security::PeerProof;
use crate::security::{PeerKeys, PublicKey};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, Error};
use std::io;
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
) -> Result<(TlsStream<TcpStream>, PeerProof), String> {
    // TLS asks for a name, which is neither sent nor checked: the key alone identifies a peer.
    let name = ServerName::from(Ipv4Addr::UNSPECIFIED);
    let connecting = TlsConnector::from(keys.client_config()).connect(name, stream);
    let stream = connecting.await.map_err(|error| reason(&error))?;
    match PublicKey::shown(stream.get_ref().1.peer_certificates()) {
        Some(key) => Ok((stream, PeerProof::Key(key))),
        None => Err("it showed no key".to_owned()),
    }
}

/// Returns the reason for a failed handshake in the terms of the configuration.
pub(super) fn reason(error: &io::Error) -> String {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            "its shared secret is another than that of this node".to_owned()
        }
        Some(Error::AlertReceived(AlertDescription::AccessDenied)) => {
            "it does not accept the shared secret of this node".to_owned()
        }
        Some(Error::InvalidMessage(_)) => "it does not prove that it has a shared secret: \
             cluster.peer-authentication is off there, or its version is older"
            .to_owned(),
        Some(other) => format!("the TLS handshake failed: {other}"),
        None => match error.kind() {
            // The peer has read the key of this node, and its refusal was lost.
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe => {
                "it closed the connection; perhaps it does not accept the shared secret of this node"
                    .to_owned()
            }
            _ => error.to_string(),
        },
    }
}
