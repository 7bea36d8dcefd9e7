//! The opening of a connection: its first bytes, its protocol, and its TLS handshake.

use super::exchange::ServerContext;
use super::protocol::{self, Protocol};
use super::shutdown::Shutdown;
use super::stream::{ClientStream, PeekableStream};
use super::tls_handshake::{self, SecuredStream, TlsConfigs};
use crate::clock::{Instant, now};
use crate::http::authentication::ClientCertificate;
use crate::http::backend::Backend;
use crate::http::connection_limiter::ConnectionPermit;
use crate::http::metrics::Refusal;
use crate::http::state::ConnectionInfo;
use crate::raft::PeerProof;
use rustls::ServerConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Maximum time until the first byte of a new connection. The documented limit for a silent or slow
/// client is 10 s. The difference of 2 s is for a last response (such as 408), and for a node that
/// is busy with many such clients.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(8);

/// Like [`FIRST_BYTE_TIMEOUT`], for a connection with a permit reserved for peers. The time is
/// shorter, because peers send their first byte immediately.
const PEER_FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(2);

/// Time that a new connection has to send its first byte after the process resumes. A request that
/// was sent during the suspension is read in this time, and rejected with a reason. A silent
/// connection is closed.
const RESUMED_TIMEOUT: Duration = Duration::from_millis(200);

/// Maximum time that a peer may let this node wait in a handshake. A peer takes milliseconds.
const PEER_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum time from the start of a connection to the end of its handshake, without the time for
/// which the handshake waits for its turn on this node.
const OPENING_TIMEOUT: Duration = Duration::from_millis(9_500);

/// The response to plain HTTP on the port for HTTPS.
const NEEDS_HTTPS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Quorate-Applied: no\r\nConnection: close\r\nContent-Length: 29\r\n\r\n\
    This port is only for HTTPS.\n";

/// Maximum number of reads of a plain request on the port for HTTPS.
const PLAIN_READS_MAX: usize = 16;

/// The reason for refusing plain HTTP on the port for HTTPS.
const PLAIN_HTTP: &str = "plain HTTP on the port for HTTPS";

/// Time without activity after which a connection counts as idle, so that it may be closed to make
/// room for a new one.
pub(super) const PARK_AFTER: Duration = Duration::from_secs(1);

/// A connection that is not open yet.
pub(super) struct Opening<'a, D> {
    /// The TLS settings for clients, if the connection is to the port for HTTPS.
    pub(super) https: Option<Arc<ServerConfig>>,
    pub(super) connection_info: ConnectionInfo,
    pub(super) permit: &'a ConnectionPermit,
    pub(super) shared: &'a Arc<ServerContext<D>>,
    pub(super) shutdown: &'a Shutdown,
}

/// A client's connection whose handshake is complete.
pub(super) struct OpenConnection {
    pub(super) stream: ClientStream,
    pub(super) protocol: Protocol,
    pub(super) connection_info: ConnectionInfo,
}

impl<D: Backend> Opening<'_, D> {
    /// Waits for the first bytes, and performs the handshake if there is one. Returns the open
    /// connection of a client. Returns `None` if the connection was closed, or was handed over to
    /// the peer protocol.
    pub(super) async fn open(mut self, stream: TcpStream) -> Option<OpenConnection> {
        let began = now();
        let configs = TlsConfigs {
            peers: self.shared.service.app().backend.peer_credentials(),
            clients: self.https.take(),
        };
        let takes_tls = configs.peers.is_some() || configs.clients.is_some();
        let protocol = self.first_bytes(&stream, takes_tls).await?;
        if protocol == Protocol::Tls {
            // Boxed, since this future is large and most connections are plain.
            let secured = Box::pin(self.secure(PeekableStream::new(stream), configs, began));
            return tokio::select! {
                opened = secured => opened,
                () = self.shutdown.stopping() => None,
            };
        }
        if configs.clients.is_some() {
            // A health check may open and close a connection without sending anything.
            if refuse_plain(&stream) {
                self.refuse(PLAIN_HTTP);
            }
            return None;
        }
        Some(OpenConnection {
            stream: ClientStream::Plain(PeekableStream::new(stream)),
            protocol,
            connection_info: self.connection_info,
        })
    }

    /// Performs the handshake. Hands the connection of a peer over to the peer protocol.
    async fn secure(
        &self,
        stream: PeekableStream,
        configs: TlsConfigs,
        began: Instant,
    ) -> Option<OpenConnection> {
        let client_time = match (&configs.clients, self.permit.for_peers()) {
            (Some(_), false) => OPENING_TIMEOUT.saturating_sub(now().duration_since(began)),
            _ => PEER_HANDSHAKE_TIMEOUT,
        };
        match tls_handshake::accept(stream, &configs, client_time).await {
            Ok(SecuredStream::Client(stream)) => {
                let protocol = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Protocol::Http2,
                    _ => Protocol::Http1,
                };
                // Until the first request, the connection can make room for another one.
                self.permit.idle();
                let chain = stream.get_ref().1.peer_certificates();
                let certificate = ClientCertificate::of_chain(chain).map(Arc::new);
                Some(OpenConnection {
                    connection_info: ConnectionInfo {
                        certificate,
                        ..self.connection_info.clone()
                    },
                    stream: ClientStream::tls(stream),
                    protocol,
                })
            }
            Ok(SecuredStream::Peer(stream, proof)) => {
                self.serve_peer(stream, proof);
                None
            }
            Err(error) => {
                self.refuse(&error.to_string());
                None
            }
        }
    }

    /// Serves a peer in a task of its own, because peers are served until the group has stopped,
    /// and the HTTP server stops before the group.
    fn serve_peer(&self, stream: TlsStream<PeekableStream>, proof: PeerProof) {
        self.permit.mark_active();
        let (app, permit) = (self.shared.service.app().clone(), self.permit.clone());
        let epoch = self.connection_info.opened_epoch;
        tokio::spawn(async move {
            app.backend.serve_peer(stream, proof, epoch).await;
            drop(permit);
        });
    }

    fn refuse(&self, reason: &str) {
        let app = self.shared.service.app();
        let address = self.connection_info.address.ip();
        app.refusals.note(address, "", reason);
        app.metrics.count_refusal(Refusal::Handshake);
    }

    /// Waits for the client's first bytes, and detects the protocol. Returns `None` if the
    /// connection is to be closed instead.
    async fn first_bytes(&self, stream: &TcpStream, takes_tls: bool) -> Option<Protocol> {
        let Opening {
            connection_info,
            permit,
            shutdown,
            ..
        } = self;
        let timeout = if permit.for_peers() {
            PEER_FIRST_BYTE_TIMEOUT
        } else {
            FIRST_BYTE_TIMEOUT
        };
        let silent = async {
            tokio::time::sleep(PARK_AFTER).await;
            permit.idle();
            tokio::time::sleep(timeout.saturating_sub(PARK_AFTER)).await;
        };
        let given_up = async {
            tokio::select! {
                () = silent => {}
                () = permit.asked_to_close() => {}
                () = shutdown.stopping() => {}
                () = async {
                    shutdown.resumed(connection_info.opened_epoch).await;
                    tokio::time::sleep(RESUMED_TIMEOUT).await
                } => {}
            }
        };
        let protocol = tokio::select! {
            biased;
            protocol = protocol::detect(stream, takes_tls) => protocol.ok(),
            () = given_up => None,
        };
        if protocol.is_some() {
            permit.busy();
        }
        protocol
    }
}

/// Answers plain HTTP on the port for HTTPS. Best effort: the response waits neither for a client
/// that does not read nor for the rest of a request. Returns whether the client has sent anything.
fn refuse_plain(stream: &TcpStream) -> bool {
    // The kernel would reset a connection that is closed with unread bytes, and the client might
    // lose the response. The number of reads is limited, because a client could always send more.
    let mut request = [0; 4096];
    let has_bytes = matches!(stream.try_read(&mut request), Ok(1..));
    for _ in 0..PLAIN_READS_MAX {
        if !matches!(stream.try_read(&mut request), Ok(1..)) {
            break;
        }
    }
    if has_bytes {
        let _ = stream.try_write(NEEDS_HTTPS);
    }
    has_bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The response to plain HTTP has the right `Content-Length`.
    #[test]
    fn the_answer_to_plain_http_is_well_formed() {
        let text = std::str::from_utf8(NEEDS_HTTPS).expect("ascii");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let length = format!("Content-Length: {}", body.len());
        assert!(head.ends_with(&length), "{head}");
    }
}
