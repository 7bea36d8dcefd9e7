//! TLS for the clients of the tests: the certificates of the fixtures, and a tunnel through which a
//! client of plain HTTP reaches a node's port for HTTPS.

use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Returns the path of a fixture of `quorate-security`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("crates/security/src/key_store/stores")
        .join(name)
}

/// Returns a PEM file with the key and the chain of the certificate for 127.0.0.1, or of another
/// one of the fixtures.
pub fn key_store_pem(name: &str) -> String {
    [
        format!("{name}.pem"),
        format!("{name}.pkcs8.pem"),
        "intermediate.pem".to_owned(),
    ]
    .map(|file| std::fs::read_to_string(fixture(&file)).expect("a fixture"))
    .concat()
}

/// Returns the TLS settings of a client that trusts the authority of the fixtures, and shows no
/// certificate.
pub fn client_config(alpn: &[&[u8]]) -> Arc<ClientConfig> {
    client_config_with(alpn, None)
}

/// Returns the TLS settings of a client that trusts the authority of the fixtures, and shows the
/// certificate of this name, if one is given.
pub fn client_config_with(alpn: &[&[u8]], certificate: Option<&str>) -> Arc<ClientConfig> {
    let root = CertificateDer::from_pem_file(fixture("root.pem")).expect("a fixture");
    let mut roots = RootCertStore::empty();
    roots.add(root).expect("a certificate authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let pem = key_store_pem(name);
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
            let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key");
            let chain = chain.expect("certificates");
            builder.with_client_auth_cert(chain, key).expect("they fit")
        }
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// Opens a TLS connection from an address of this machine.
pub async fn connect(
    source: Ipv4Addr,
    to: SocketAddr,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, Error> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    TlsConnector::from(config).connect(name, stream).await
}

/// A port at which plain text is accepted, and forwarded with TLS. A forwarded connection comes
/// from the address from which the client connected.
pub struct TlsTunnel {
    pub address: SocketAddr,
    runtime: Runtime,
}

impl TlsTunnel {
    /// Runs a future of a client on the runtime of the tunnel.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Opens a tunnel to a port for HTTPS, for HTTP/1.1.
    pub fn to(target: SocketAddr) -> TlsTunnel {
        TlsTunnel::with(target, client_config(&[b"http/1.1"]))
    }

    /// Opens a tunnel to a port for HTTPS with these settings.
    pub fn with(target: SocketAddr, config: Arc<ClientConfig>) -> TlsTunnel {
        let runtime = super::many_clients::runtime();
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a free port");
        let address = listener.local_addr().expect("bound");
        runtime.spawn(async move {
            while let Ok((client, from)) = listener.accept().await {
                let config = config.clone();
                tokio::spawn(async move {
                    let source = match from {
                        SocketAddr::V4(from) => *from.ip(),
                        SocketAddr::V6(_) => Ipv4Addr::LOCALHOST,
                    };
                    let mut client = client;
                    let mut node = connect(source, target, config).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut node).await
                });
            }
        });
        TlsTunnel { address, runtime }
    }
}

/// Sends one request with HTTP/2 over TLS, for which `config` must ask. Returns the status and the
/// body of the response.
pub async fn request_h2(
    source: Ipv4Addr,
    to: SocketAddr,
    config: Arc<ClientConfig>,
    request: http::Request<http_body_util::Full<Bytes>>,
    limit: Duration,
) -> Result<(u16, String), Error> {
    let exchange = async {
        let stream = connect(source, to, config).await?;
        let io = TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                .await
                .map_err(Error::other)?;
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(Error::other)?;
        let status = answer.status().as_u16();
        let body = http_body_util::BodyExt::collect(answer.into_body()).await;
        let body = body.map_err(Error::other)?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let late = |_| Error::new(ErrorKind::TimedOut, "no whole answer in time");
    tokio::time::timeout(limit, exchange).await.map_err(late)?
}
