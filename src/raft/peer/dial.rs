//! How a peer is reached: by TCP and the HTTP upgrade, or over a network of one's own.

use super::{PEER_PATH, UPGRADE_TOKEN};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

/// What was sent and not even acknowledged for this long went to a machine that is gone: TCP by itself would try for
/// a quarter of an hour.
const DEAD_AFTER: Duration = Duration::from_secs(2);

/// A connection that carries the peers' messages.
pub trait PeerStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send> PeerStream for IO {}

/// A network other than TCP. At its other end stands [`Node::serve_peer`](crate::raft::Node::serve_peer), without HTTP
/// in between.
pub trait Dial: Send + Sync {
    /// Connects to `http://host:port`.
    ///
    /// # Errors
    /// When nobody answers there.
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn PeerStream>>>;
}

/// The way to the peers.
#[derive(Clone)]
pub(crate) enum Dialer {
    /// By TCP, from the local address `bind` where that is possible, and an HTTP upgrade.
    Tcp { bind: Option<IpAddr> },
    /// As told.
    Own(Arc<dyn Dial>),
}

/// A connection by HTTP.
pub(super) async fn dial_http(
    address: &str,
    bind: Option<IpAddr>,
) -> Result<TokioIo<hyper::upgrade::Upgraded>, String> {
    let stream = dial_tcp(address, bind)
        .await
        .map_err(|error| error.to_string())?;
    upgrade(address, stream).await.map(TokioIo::new)
}

async fn dial_tcp(address: &str, bind: Option<IpAddr>) -> io::Result<TcpStream> {
    let host = address
        .strip_prefix("http://")
        .unwrap_or(address)
        .trim_end_matches('/');
    let mut last = io::Error::other("the name has no address");
    for target in tokio::net::lookup_host(host).await? {
        let socket = if target.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if let Some(ip) = bind.filter(|ip| ip.is_ipv4() == target.is_ipv4()) {
            // A node behind address translation does not own the address of its inventory entry; it dials from any.
            let _ = socket.bind((ip, 0).into());
        }
        match socket.connect(target).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(DEAD_AFTER))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn upgrade(address: &str, stream: TcpStream) -> Result<hyper::upgrade::Upgraded, String> {
    let host = address.strip_prefix("http://").unwrap_or(address);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection.with_upgrades());
    let request = http::Request::get(PEER_PATH)
        .header(http::header::HOST, host)
        .header(http::header::CONNECTION, "upgrade")
        .header(http::header::UPGRADE, UPGRADE_TOKEN)
        .body(http_body_util::Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!(
            "is not a quorate node: it answered {} to a peer",
            response.status()
        ));
    }
    hyper::upgrade::on(response)
        .await
        .map_err(|error| error.to_string())
}
