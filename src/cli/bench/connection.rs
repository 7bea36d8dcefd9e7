//! The connection of a client. After the connection has ended, the next request opens it again.

use crate::cli::client::error::CommandError;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Timeout of a request; longer than any request may wait on a node.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// The header that carries the token of an engine.
const ENGINE_TOKEN: HeaderName = HeaderName::from_static("x-trino-internal-bearer");
/// Maximum number of bytes of a text response that are kept.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// A server, and the token for it.
pub struct ServerTarget {
    /// `host:port`, for the `Host` header and for dialling.
    host: String,
    /// The settings of TLS and the name that the certificate must have; `None` without TLS.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    authorization: Option<HeaderValue>,
}

/// A shared server.
pub type Address = Arc<ServerTarget>;

/// Returns the addresses of servers that are given as URLs. The value of `authorization` is sent
/// with each request. `tls` makes the settings for servers with https.
///
/// # Errors
/// Fails for URLs with a path, and with the errors of `tls`.
pub fn addresses(
    servers: &[String],
    authorization: Option<&HeaderValue>,
    tls: impl Fn() -> anyhow::Result<ClientConfig>,
) -> anyhow::Result<Vec<Address>> {
    let is_secure = |server: &String| server.starts_with("https:");
    let connector = match servers.iter().any(is_secure) {
        true => Some(connector(tls()?)),
        false => None,
    };
    let address = |server: &String| {
        let url = Url::parse(server).map_err(|error| error.to_string())?;
        let (Some(host), Some(port), "/") =
            (url.host_str(), url.port_or_known_default(), url.path())
        else {
            return Err("expected http://host:port or https://host:port".to_owned());
        };
        let tls = match (url.scheme(), &connector) {
            ("http", _) => None,
            ("https", Some(connector)) => {
                // A URL has brackets around an IPv6 address, and a certificate has none.
                let name = host.trim_start_matches('[').trim_end_matches(']');
                let name = ServerName::try_from(name.to_owned());
                let name = name.map_err(|_| "a certificate cannot have this name".to_owned())?;
                Some((connector.clone(), name))
            }
            (scheme, _) => return Err(format!("{scheme} is neither http nor https")),
        };
        Ok(Arc::new(ServerTarget {
            host: format!("{host}:{port}"),
            tls,
            authorization: authorization.cloned(),
        }))
    };
    let addresses = servers.iter().map(|server| {
        address(server).map_err(|why| CommandError::Refused(format!("{server}: {why}")).into())
    });
    addresses.collect()
}

/// Returns what opens TLS for HTTP/1.1 on a connection.
fn connector(mut config: ClientConfig) -> TlsConnector {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// One request of a load.
pub struct BenchRequest<'a> {
    pub method: Method,
    pub path: &'a str,
    pub body: Bytes,
    /// The token of the engine that sends the request.
    pub engine_token: Option<&'a HeaderValue>,
}

impl BenchRequest<'_> {
    /// Creates a request of nobody in particular, without a body.
    pub fn get(path: &str) -> BenchRequest<'_> {
        BenchRequest {
            method: Method::GET,
            path,
            body: Bytes::new(),
            engine_token: None,
        }
    }
}

/// A response: its status, and the number of bytes of its body.
pub struct HttpAnswer {
    pub status: StatusCode,
    pub bytes: u64,
}

/// A connection to one server.
pub struct HttpConnection {
    address: Address,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl HttpConnection {
    /// Creates a connection that is opened with the first request.
    pub fn new(address: Address) -> HttpConnection {
        HttpConnection {
            address,
            sender: None,
        }
    }

    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// Returns a short reason without varying parts, so that equal errors can be counted.
    pub async fn ask(&mut self, request: BenchRequest<'_>) -> Result<HttpAnswer, String> {
        in_time(self.exchange(request, |_| {})).await
    }

    /// Requests `path` and returns the body of a response with status 200.
    ///
    /// # Errors
    /// Fails with the errors of [`HttpConnection::ask`], and when the status is not 200.
    pub async fn text(&mut self, path: &str) -> Result<String, String> {
        let mut text = Vec::new();
        let keep = |piece: &[u8]| {
            let room = TEXT_BYTES_MAX.saturating_sub(text.len());
            text.extend_from_slice(&piece[..piece.len().min(room)]);
        };
        let answer = in_time(self.exchange(BenchRequest::get(path), keep)).await?;
        let text = String::from_utf8_lossy(&text).into_owned();
        match answer.status {
            StatusCode::OK => Ok(text),
            status => Err(format!("{status}: {}", text.trim())),
        }
    }

    /// Sends a request and passes the body to `take`. The connection is kept only if the whole
    /// response is read.
    async fn exchange(
        &mut self,
        asked: BenchRequest<'_>,
        mut take: impl FnMut(&[u8]),
    ) -> Result<HttpAnswer, String> {
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.open().await?,
        };
        let lost = |_| "the connection was lost".to_owned();
        sender.ready().await.map_err(lost)?;
        let mut request = Request::builder()
            .method(asked.method)
            .uri(asked.path)
            .header(HOST, &*self.address.host)
            .header(CONTENT_TYPE, "application/json");
        if let Some(value) = &self.address.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(value) = asked.engine_token {
            request = request.header(ENGINE_TOKEN, value);
        }
        let request = request
            .body(Full::new(asked.body))
            .map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(lost)?;
        let status = answer.status();
        let mut body = answer.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            if let Some(piece) = frame.map_err(lost)?.data_ref() {
                bytes += piece.len() as u64;
                take(piece);
            }
        }
        self.sender = Some(sender);
        Ok(HttpAnswer { status, bytes })
    }

    /// Opens a connection to the server.
    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream = TcpStream::connect(&*self.address.host)
            .await
            .map_err(|error| format!("cannot connect: {}", error.kind()))?;
        // Nagle's algorithm would delay the end of a request's body until the head of the request
        // is acknowledged.
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        match &self.address.tls {
            None => speak_http(stream).await,
            Some((connector, name)) => {
                let opened = connector.connect(name.clone(), stream).await;
                speak_http(opened.map_err(|error| format!("cannot open TLS: {error}"))?).await
            }
        }
    }
}

/// Begins HTTP on a connection, and keeps it going in a task of its own.
async fn speak_http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>, String> {
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // The result is ignored, because an error of the connection also fails the request in flight.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

/// Limits a request to [`TIMEOUT`].
async fn in_time(
    asked: impl Future<Output = Result<HttpAnswer, String>>,
) -> Result<HttpAnswer, String> {
    let answer = tokio::time::timeout(TIMEOUT, asked).await;
    answer.unwrap_or_else(|_| Err(format!("no answer within {TIMEOUT:?}")))
}
