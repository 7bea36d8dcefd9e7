//! The connection of a client. After the connection has ended, the next request opens it again.

use crate::cli::client::error::CommandError;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Timeout of a request; longer than any request may wait on a node.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of bytes of a text response that are kept.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// A server, and the token for it.
#[derive(Debug)]
pub struct ServerTarget {
    /// `host:port`, for the `Host` header and for dialling.
    host: String,
    authorization: Option<HeaderValue>,
}

/// A shared server.
pub type Address = Arc<ServerTarget>;

/// Returns the addresses of servers that are given as URLs. The value of `authorization` is sent
/// with each request.
///
/// # Errors
/// Fails for https, which this load generator does not support, and for URLs with a path.
pub fn addresses(
    servers: &[String],
    authorization: Option<&HeaderValue>,
) -> Result<Vec<Address>, CommandError> {
    let address = |server: &String| {
        let url = Url::parse(server).map_err(|error| error.to_string())?;
        match (url.scheme(), url.host_str(), url.path()) {
            ("http", Some(host), "/") => Ok(Arc::new(ServerTarget {
                host: format!("{host}:{}", url.port_or_known_default().unwrap_or(80)),
                authorization: authorization.cloned(),
            })),
            _ => Err("bench supports only http://host:port".to_owned()),
        }
    };
    servers
        .iter()
        .map(|server| {
            address(server).map_err(|why| CommandError::Refused(format!("{server}: {why}")))
        })
        .collect()
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
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<HttpAnswer, String> {
        in_time(self.exchange(method, path, body, |_| {})).await
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
        let answer = in_time(self.exchange(Method::GET, path, Bytes::new(), keep)).await?;
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
        method: Method,
        path: &str,
        body: Bytes,
        mut take: impl FnMut(&[u8]),
    ) -> Result<HttpAnswer, String> {
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.open().await?,
        };
        let lost = |_| "the connection was lost".to_owned();
        sender.ready().await.map_err(lost)?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &*self.address.host)
            .header(CONTENT_TYPE, "application/json");
        if let Some(value) = &self.address.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let request = request
            .body(Full::new(body))
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
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        // The result is ignored, because an error of the connection also fails the request in
        // flight.
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender)
    }
}

/// Limits a request to [`TIMEOUT`].
async fn in_time(
    asked: impl Future<Output = Result<HttpAnswer, String>>,
) -> Result<HttpAnswer, String> {
    let answer = tokio::time::timeout(TIMEOUT, asked).await;
    answer.unwrap_or_else(|_| Err(format!("no answer within {TIMEOUT:?}")))
}
