//! Connections to peers, by TCP and an HTTP upgrade or over a custom network.

use super::error::{CallError, CallFailure, DialError, ProofError};
use super::peer_address::{DialHost, authority_of, host_of};
use super::peer_security::{PeerProof, PeerSecurity};
use super::resolver::{Resolver, Unresolved};
use super::{address_race, dial_tls};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

/// The token of the HTTP `Upgrade` header. Its number is the version of the framing.
pub const UPGRADE_TOKEN: &str = "quorate-peer/1";
/// The token of the `Upgrade` header with which a node refuses a peer that proves nothing.
pub const PROOF_TOKEN: &str = "TLS/1.3";
/// The path that accepts peer connections.
pub const PEER_PATH: &str = "/v1/cluster/peer";

/// Time after which a connection is dropped if the peer's machine does not even acknowledge the
/// sent data by TCP. Such a machine is down. TCP alone would retry for a quarter of an hour.
const DEAD_AFTER: Duration = Duration::from_secs(2);

/// A connection that carries the peers' messages.
pub trait PeerStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send> PeerStream for IO {}

/// A new connection to a peer, on which the hello is the first message.
pub(crate) struct DialedPeer {
    pub(crate) stream: Box<dyn PeerStream>,
    /// The proof that the peer has given.
    pub(crate) proof: PeerProof,
    /// The reason why the peer gave no proof although this node can give one.
    pub(crate) plain_because: Option<String>,
}

/// A network other than TCP. The far end of its connections is
/// [`Node::serve_peer`](crate::raft::Node::serve_peer), without HTTP in between.
pub trait Dial: Send + Sync {
    /// Connects to `http://host:port`.
    ///
    /// # Errors
    /// When nothing answers at the address.
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn PeerStream>>>;
}

/// The security of a custom network. It is off, because the messages do not leave the process.
static OFF: PeerSecurity = PeerSecurity::Off;

/// The means to connect to peers. It is cheap to clone, and the clones share the resolved names.
#[derive(Clone)]
pub(crate) enum Dialer {
    /// TCP, from the local address `bind` where that is possible. The connection uses TLS if the
    /// peer proves who it is, and an HTTP upgrade otherwise.
    Tcp {
        bind: Option<IpAddr>,
        resolver: Arc<Resolver>,
        security: PeerSecurity,
    },
    /// A custom network.
    Own(Arc<dyn Dial>),
}

impl Dialer {
    /// Creates a dialer that uses TCP.
    pub(crate) fn tcp(bind: Option<IpAddr>, security: PeerSecurity) -> Dialer {
        Dialer::Tcp {
            bind,
            resolver: Arc::default(),
            security,
        }
    }

    /// Connects to `http://host:port` or `https://host:port`.
    ///
    /// # Errors
    /// When the name does not resolve, when no quorate node answers at the address, or when the
    /// node there does not prove what [`PeerSecurity`] demands.
    pub(crate) async fn dial(&self, address: &str) -> Result<DialedPeer, DialError> {
        match self {
            Dialer::Tcp {
                bind,
                resolver,
                security,
            } => {
                let connect = |target| dial_target(address, target, *bind, security);
                match host_of(address)? {
                    DialHost::At(target) => connect(target).await,
                    DialHost::Name(host, port) => {
                        let attempt = |mut target: SocketAddr| {
                            target.set_port(port);
                            connect(target)
                        };
                        address_race::connect(resolver, host, attempt).await
                    }
                }
            }
            Dialer::Own(network) => network
                .dial(address)
                .await
                .map(DialedPeer::plain)
                .map_err(DialError::from),
        }
    }

    /// Returns the proof that is demanded from peers.
    pub(crate) fn security(&self) -> &PeerSecurity {
        match self {
            Dialer::Tcp { security, .. } => security,
            Dialer::Own(_) => &OFF,
        }
    }

    /// Returns why the name in an address does not resolve at present. Returns `None` if it does
    /// resolve, or if the address contains no name.
    pub(crate) fn resolve_error(&self, address: &str) -> Option<Unresolved> {
        let (resolver, host) = self.host_name(address)?;
        resolver.error(host)
    }

    /// Returns whether no address is known for the name in an address, because the name has not
    /// resolved.
    pub(crate) fn is_unknown(&self, address: &str) -> bool {
        self.host_name(address).is_some_and(|(resolver, host)| {
            resolver.error(host).is_some() && resolver.is_unknown(host)
        })
    }

    /// Returns the error for an address that was not reached in time.
    pub(crate) fn no_answer(&self, address: &str) -> CallError {
        match self.resolve_error(address) {
            Some(source) if self.is_unknown(address) => CallError::not_connected(address, source),
            Some(source) => CallError::NotSent(CallFailure::SilentAtLastAddress {
                address: address.to_owned(),
                source,
            }),
            None => CallError::NotSent(CallFailure::Silent(address.to_owned())),
        }
    }

    fn host_name<'a>(&self, address: &'a str) -> Option<(&Arc<Resolver>, &'a str)> {
        match (self, host_of(address)) {
            (Dialer::Tcp { resolver, .. }, Ok(DialHost::Name(host, _))) => Some((resolver, host)),
            _ => None,
        }
    }
}

impl DialedPeer {
    fn plain(stream: impl PeerStream + 'static) -> DialedPeer {
        DialedPeer {
            stream: Box::new(stream),
            proof: PeerProof::Plain,
            plain_because: None,
        }
    }
}

/// Connects to a socket address, with the proof that `security` demands.
async fn dial_target(
    address: &str,
    target: SocketAddr,
    bind: Option<IpAddr>,
    security: &PeerSecurity,
) -> Result<DialedPeer, DialError> {
    let mut plain_because = None;
    if let Some(credentials) = security.credentials() {
        let stream = dial_tcp(target, bind).await?;
        match dial_tls::secure(stream, &credentials, address).await {
            Ok((stream, proof)) => {
                return Ok(DialedPeer {
                    stream: Box::new(stream),
                    proof,
                    plain_because,
                });
            }
            Err(reason) if !security.accepts_plain() => return Err(reason),
            Err(reason) => plain_because = Some(reason.to_string()),
        }
    }
    let upgraded = upgrade(address, dial_tcp(target, bind).await?).await?;
    Ok(DialedPeer {
        plain_because,
        ..DialedPeer::plain(TokioIo::new(upgraded))
    })
}

/// Opens a TCP connection, from the local address `bind` where that is possible.
async fn dial_tcp(target: SocketAddr, bind: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if target.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(ip) = bind.filter(|ip| ip.is_ipv4() == target.is_ipv4()) {
        // Ignore an error. A node behind address translation does not own the address of its
        // inventory entry, and dials from any address.
        let _ = socket.bind((ip, 0).into());
    }
    let stream = socket.connect(target).await?;
    stream.set_nodelay(true)?;
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(DEAD_AFTER))?;
    Ok(stream)
}

/// Upgrades a TCP connection to the peer protocol, by an HTTP request.
async fn upgrade(address: &str, stream: TcpStream) -> Result<hyper::upgrade::Upgraded, DialError> {
    let host = authority_of(address);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let request = http::Request::get(PEER_PATH)
        .header(http::header::HOST, host)
        .header(http::header::CONNECTION, "upgrade")
        .header(http::header::UPGRADE, UPGRADE_TOKEN)
        .body(http_body_util::Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let demands_proof = response.status() == http::StatusCode::UPGRADE_REQUIRED
        && response.headers().get(http::header::UPGRADE)
            == Some(&http::HeaderValue::from_static(PROOF_TOKEN));
    if demands_proof {
        return Err(ProofError::Demanded.into());
    }
    if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
        return Err(DialError::NotQuorate(response.status()));
    }
    Ok(hyper::upgrade::on(response).await?)
}
