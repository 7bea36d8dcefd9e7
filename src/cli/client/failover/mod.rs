//! Failover between several servers: decides which one is asked next, and when to give up.

use super::error::CommandError;
use super::output::one_line;
use super::query::Query;
use anyhow::Context;
use quorate::clock;
use quorate::config::innermost_cause;
use reqwest::header::{ACCEPT, HeaderName};
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Maximum size of a response body in bytes: twice the memory limit of a node's registry
/// (`MAX_HELD_BYTES`).
pub const BODY_BYTES_MAX: usize = 512 << 20;

/// Maximum size of an error body in bytes; one line of it is shown.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// The timeouts of a command.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Timeout for opening a connection, which takes milliseconds on a working network.
    pub connect: Duration,
    /// Timeout of a whole response, or of the head of a stream. A node reports within 2 s that it
    /// has no quorum.
    pub answer: Duration,
    /// Timeout for the next bytes of a stream, which carries a heartbeat every 3 s.
    pub silence: Duration,
    /// Pause before all servers are asked again.
    pub pause: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(1),
            answer: Duration::from_secs(3),
            silence: Duration::from_secs(10),
            pause: Duration::from_millis(250),
        }
    }
}

/// The reason why a server gave no usable response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// The request is invalid, so every server would refuse it.
    Invalid(String),
    /// The server answers, but not like a quorate server that knows the endpoint.
    Unexpected(String),
    /// Another server may answer, or the same server may answer later.
    Unavailable(String),
}

impl RequestError {
    fn line(&self) -> &str {
        let (RequestError::Invalid(line)
        | RequestError::Unexpected(line)
        | RequestError::Unavailable(line)) = self;
        line
    }
}

/// A server, and the error of the last request to it; `None` if that request succeeded.
struct ServerState {
    url: String,
    error: Option<RequestError>,
}

/// A client that asks several servers, one after another, until one answers.
///
/// - The first server to ask is the one that answered last. The others follow in the given order.
/// - If a server does not answer, the client asks the next server immediately. It pauses only after
///   it has asked all servers.
/// - An invalid request is not sent to another server.
/// - If a server does not know the endpoint, it may be of an older release, so the client asks the
///   next server. The client gives up only when no server knows the endpoint.
pub struct FailoverClient {
    client: Client,
    timeouts: Timeouts,
    servers: Vec<ServerState>,
    at: usize,
}

impl FailoverClient {
    /// Creates a client that asks the first server first, with an HTTP client of `builder`.
    ///
    /// # Errors
    /// Fails when no HTTP client can be built.
    pub fn new(
        servers: &[String],
        builder: ClientBuilder,
        timeouts: Timeouts,
    ) -> anyhow::Result<FailoverClient> {
        let client = builder
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.silence)
            .build()
            .context("cannot create the HTTP client")?;
        let servers = servers.iter().map(|url| ServerState {
            url: url.clone(),
            error: None,
        });
        Ok(FailoverClient {
            client,
            timeouts,
            servers: servers.collect(),
            at: 0,
        })
    }

    /// Returns the number of servers.
    pub fn count(&self) -> usize {
        self.servers.len()
    }

    /// Returns the timeouts.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Returns the current server.
    pub fn current(&self) -> &str {
        self.servers
            .get(self.at)
            .map_or("", |server| server.url.as_str())
    }

    fn error(&self) -> Option<&RequestError> {
        self.servers.get(self.at)?.error.as_ref()
    }

    /// Records why the current server did not answer, and switches to the next.
    ///
    /// # Errors
    /// Fails when the request is invalid, or no server knows the endpoint.
    pub fn next_server(&mut self, error: RequestError) -> Result<(), CommandError> {
        let is_invalid = matches!(error, RequestError::Invalid(_));
        let url = self.current().to_owned();
        let line = format!("{url}: {}", error.line());
        if let Some(server) = self.servers.get_mut(self.at) {
            server.error = Some(error);
        }
        self.at = (self.at + 1) % self.servers.len().max(1);
        let is_unexpected =
            |server: &ServerState| matches!(server.error, Some(RequestError::Unexpected(_)));
        if is_invalid || self.servers.iter().all(is_unexpected) {
            return Err(CommandError::Refused(line));
        }
        Ok(())
    }

    /// Records that the current server answered.
    pub fn answered(&mut self) {
        if let Some(server) = self.servers.get_mut(self.at) {
            server.error = None;
        }
    }

    /// Returns the last error of each failed server, as one line with the server's URL.
    pub fn errors(&self) -> Vec<String> {
        self.servers
            .iter()
            .filter_map(|server| {
                let error = server.error.as_ref()?;
                Some(format!("{}: {}", server.url, error.line()))
            })
            .collect()
    }

    /// Asks the servers until `read` accepts a response. So that every server is asked within
    /// `limit`, each request gets at most an equal share of the remaining time.
    ///
    /// # Errors
    /// Fails when the request is invalid, when no server knows the endpoint, or when no server has
    /// answered within `limit`.
    pub async fn ask<T>(
        &mut self,
        query: &Query,
        limit: Duration,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let deadline = clock::now() + limit;
        loop {
            for asked in 0..self.count() {
                let left = deadline.saturating_duration_since(clock::now());
                let share = left / u32::try_from(self.count() - asked).unwrap_or(u32::MAX);
                let each = self.timeouts.answer.min(share);
                match self.ask_one(query, each, &read).await {
                    Ok(answer) => {
                        self.answered();
                        return Ok(answer);
                    }
                    Err(error) => {
                        // If `limit` cut this request short, the server's earlier error is kept,
                        // because that error says more than a timeout.
                        let cut_short = each < self.timeouts.answer && error == late(each);
                        let before = self.error().filter(|_| cut_short).cloned();
                        self.next_server(before.unwrap_or(error))?;
                    }
                }
            }
            if clock::now() + self.timeouts.pause >= deadline {
                return Err(CommandError::Unanswered(self.errors()).into());
            }
            sleep(self.timeouts.pause).await;
        }
    }

    /// Asks the current server once, and returns the result of `read` for the response.
    async fn ask_one<T>(
        &self,
        query: &Query,
        limit: Duration,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, RequestError> {
        let url = self.url(query)?;
        let answer = async {
            let response = self.send(url, &[(ACCEPT, "application/json")]).await?;
            body(response, BODY_BYTES_MAX)
                .await
                .map_err(RequestError::Unavailable)
        };
        let text = timeout(limit, answer).await.map_err(|_| late(limit))??;
        read(&text)
            .map_err(|why| RequestError::Unexpected(format!("{why}: is it a quorate server?")))
    }

    /// Opens a stream on the current server. Returns when the head of the response has arrived.
    ///
    /// # Errors
    /// Fails when that server does not answer with a success status.
    pub async fn open(
        &self,
        query: &Query,
        headers: &[(HeaderName, &str)],
    ) -> Result<Response, RequestError> {
        let url = self.url(query)?;
        let limit = self.timeouts.answer;
        let opened = timeout(limit, self.send(url, headers)).await;
        opened.map_err(|_| late(limit))?
    }

    fn url(&self, query: &Query) -> Result<Url, RequestError> {
        query.url(self.current()).map_err(RequestError::Invalid)
    }

    /// Sends a request and returns a response with a success status. A response with any other
    /// status becomes an error.
    async fn send(
        &self,
        url: Url,
        headers: &[(HeaderName, &str)],
    ) -> Result<Response, RequestError> {
        let mut request = self.client.get(url);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let response = request
            .send()
            .await
            .map_err(|error| RequestError::Unavailable(self.reason(&error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = body(response, ERROR_BYTES_MAX).await.unwrap_or_default();
        let line = match one_line(&text) {
            line if line.is_empty() => status.to_string(),
            line => line,
        };
        Err(match status {
            StatusCode::BAD_REQUEST => RequestError::Invalid(line),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RequestError::Unexpected(line),
            status if status.is_client_error() => {
                RequestError::Unexpected(format!("answered {status}: is it a quorate server?"))
            }
            _ => RequestError::Unavailable(line),
        })
    }

    /// Returns the cause of a failed request or a broken stream.
    pub fn reason(&self, error: &reqwest::Error) -> String {
        if error.is_connect() && error.is_timeout() {
            return format!("no connection within {:?}", self.timeouts.connect);
        }
        if error.is_timeout() {
            return format!("silent for {:?}", self.timeouts.silence);
        }
        innermost_cause(error)
    }
}

fn late(limit: Duration) -> RequestError {
    RequestError::Unavailable(format!("no answer within {:.1} s", limit.as_secs_f64()))
}

/// Reads a response body of at most `bytes_max` bytes.
async fn body(mut response: Response, bytes_max: usize) -> Result<String, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| format!("the response is incomplete: {}", innermost_cause(&error)))?
    {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(format!("the response is larger than {bytes_max} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| "the response is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests;
