//! Errors of a call to a peer, and of the connection that it needs.

use super::resolver::{ResolveError, Unresolved};
use crate::security::{certificate_problem, is_about_certificate};
use http::StatusCode;
use rustls::{AlertDescription, CertificateError, Error};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// The reason why a call returned no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The request was not sent.
    #[error(transparent)]
    NotSent(CallFailure),
    /// The peer refuses this node. If `fatal` is set, this node must stop.
    #[error("refused: {reason}")]
    Refused {
        /// The reason, as the peer sent it or as this node found it in the peer's hello.
        reason: String,
        /// Whether this node must stop.
        fatal: bool,
    },
    /// The request was sent, but no answer arrived in time. The request may have been executed.
    #[error(transparent)]
    NoAnswer(CallFailure),
}

impl CallError {
    /// Returns the error for a connection to `address` that was not made.
    pub(crate) fn not_connected(address: &str, source: impl Into<DialError>) -> CallError {
        CallError::NotSent(CallFailure::NotConnected {
            address: address.to_owned(),
            source: source.into(),
        })
    }
}

/// The failure of a call. [`CallError`] says whether the request was sent.
#[derive(Debug, thiserror::Error)]
pub enum CallFailure {
    /// No connection was made.
    #[error("{address}: {source}")]
    NotConnected {
        /// The peer's address.
        address: String,
        /// The failure to connect.
        source: DialError,
    },
    /// No connection was made in time.
    #[error("{0} does not answer")]
    Silent(String),
    /// No connection was made in time, and the address is one remembered from before.
    #[error("{address}: {source}; at its last address it does not answer")]
    SilentAtLastAddress {
        /// The peer's address.
        address: String,
        /// The reason why the peer's name does not resolve.
        source: Unresolved,
    },
    /// The peer is not ready, for the reason that it sent.
    #[error("{0}")]
    NotReady(String),
    /// The request cannot be encoded, or is too large.
    #[error(transparent)]
    NotEncoded(#[from] io::Error),
    /// The connection to this address broke.
    #[error("the connection to {0} broke")]
    Broken(String),
    /// The time for the call is over.
    #[error("no answer from {address} within {} ms", limit.as_millis())]
    Timeout {
        /// The peer's address.
        address: String,
        /// The time for the call.
        limit: Duration,
    },
    /// The leader to which the request was sent no longer leads.
    #[error("the leader changed")]
    LeaderChanged,
}

/// The reason why no connection to a peer was made.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The address is not of the form `http://host:port`.
    #[error("is not an address like http://host:port")]
    NotAnAddress,
    /// The resolution of the name has just failed.
    #[error(transparent)]
    NoAddress(#[from] ResolveError),
    /// The name does not resolve, and no address is remembered.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// The name does not resolve, and the remembered addresses failed.
    #[error("{unresolved}; at its last address: {source}")]
    LastAddress {
        /// The reason why the name does not resolve.
        unresolved: Unresolved,
        /// The failure at the remembered address.
        source: Box<DialError>,
    },
    /// The attempt at one of the addresses failed.
    #[error("{ip}: {source}")]
    At {
        /// The address.
        ip: IpAddr,
        /// The failure.
        source: Box<DialError>,
    },
    /// The system's error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The HTTP request for the upgrade cannot be built.
    #[error(transparent)]
    Request(#[from] http::Error),
    /// The exchange of the HTTP request and its response failed.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The response is not an upgrade to the peer protocol.
    #[error("is not a quorate node: it answered {0} to a peer")]
    NotQuorate(StatusCode),
    /// The two nodes do not prove to each other that they are of the same group.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The peer closed the connection instead of answering the hello.
    #[error("the connection was closed during the handshake")]
    Closed,
}

/// The reason why two nodes do not recognize each other, in the terms of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The key of the peer is not accepted.
    #[error("its shared secret is another than that of this node")]
    OtherSecret,
    /// The peer does not accept the key of this node.
    #[error("it does not accept the shared secret of this node")]
    NotAccepted,
    /// The peer does not speak TLS.
    #[error(
        "it does not prove that it has a shared secret: cluster.peer-authentication is off there, \
         or its version is older"
    )]
    NoProof,
    /// The peer takes no plain connections.
    #[error(
        "demands that peers prove who they are (cluster.peer-authentication=require or \
         certificate), and this node has proved nothing"
    )]
    Demanded,
    /// The peer closed the connection after the handshake had ended for this node. Its refusal was
    /// lost.
    #[error("it closed the connection; perhaps it does not accept the shared secret of this node")]
    Closed,
    /// The certificate of the peer names other hosts than the one that was dialed.
    #[error("its certificate does not name {dialed}, where it was dialed; it names {named}")]
    OtherHost {
        /// The host that was dialed.
        dialed: String,
        /// The hosts in the certificate.
        named: String,
    },
    /// The certificate of the peer is not accepted, for example because its authority is unknown.
    #[error("its certificate is not accepted: {}", certificate_problem(.0))]
    BadCertificate(CertificateError),
    /// The peer does not accept the certificate of this node.
    #[error("it does not accept the certificate of this node ({0:?})")]
    CertificateNotAccepted(AlertDescription),
    /// The peer does not speak TLS, and this node shows a certificate.
    #[error(
        "it shows no certificate: cluster.peer-authentication is off there, or its version is \
         older"
    )]
    NoCertificate,
    /// The peer closed the connection of a node that shows a certificate. Its refusal was lost.
    #[error("it closed the connection; perhaps it does not accept the certificate of this node")]
    ClosedToCertificate,
    /// One of the two nodes proves who it is by a certificate, and the other by a shared secret.
    #[error(
        "it does not prove who it is in the same way as this node: compare \
         cluster.peer-authentication"
    )]
    OtherMethod,
    /// The handshake failed in another way.
    #[error("the TLS handshake failed: {0}")]
    Handshake(rustls::Error),
    /// The system's error.
    #[error(transparent)]
    Io(io::Error),
}

impl ProofError {
    /// Returns the error for a connection on which this node shows the key of a shared secret.
    pub(super) fn of_key(error: io::Error) -> ProofError {
        match tls_error(&error) {
            Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
                ProofError::OtherSecret
            }
            Some(Error::AlertReceived(AlertDescription::AccessDenied)) => ProofError::NotAccepted,
            Some(Error::InvalidMessage(_)) => ProofError::NoProof,
            Some(Error::AlertReceived(AlertDescription::HandshakeFailure)) => {
                ProofError::OtherMethod
            }
            Some(other) => ProofError::Handshake(other.clone()),
            None if is_closed(&error) => ProofError::Closed,
            None => ProofError::Io(error),
        }
    }

    /// Returns the error for a connection on which this node shows a certificate.
    pub(super) fn of_certificate(error: io::Error) -> ProofError {
        match tls_error(&error) {
            Some(Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                expected,
                presented,
            })) => ProofError::OtherHost {
                dialed: expected.to_str().into_owned(),
                named: presented.join(", "),
            },
            Some(Error::InvalidCertificate(reason)) => ProofError::BadCertificate(reason.clone()),
            Some(Error::AlertReceived(alert)) if is_about_certificate(*alert) => {
                ProofError::CertificateNotAccepted(*alert)
            }
            Some(Error::InvalidMessage(_)) => ProofError::NoCertificate,
            Some(Error::AlertReceived(AlertDescription::HandshakeFailure)) => {
                ProofError::OtherMethod
            }
            Some(other) => ProofError::Handshake(other.clone()),
            None if is_closed(&error) => ProofError::ClosedToCertificate,
            None => ProofError::Io(error),
        }
    }
}

/// Returns the error of the TLS library inside an error of the system.
fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// Returns whether the peer has closed the connection.
fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
    )
}
