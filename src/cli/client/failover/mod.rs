//! Asking one of several servers: which is next, and when to stop.

use super::error::CommandError;
use super::output::one_line;
use super::query::Question;
use anyhow::Context;
use quorate::config::innermost_cause;
use quorate::{clock, config};
use reqwest::header::{ACCEPT, HeaderName};
use reqwest::{Client, Response, StatusCode, Url};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The longest body that is read. A node's registry is limited to half of it.
pub const BODY_BYTES_MAX: usize = 512 << 20;

/// The longest error that is read; one line of it is shown.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// How long a command waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection: on a network that works it takes milliseconds.
    pub connect: Duration,
    /// For a whole answer, or the head of a stream. A node says within 2 s that it has no quorum.
    pub answer: Duration,
    /// For the next bytes of a stream, which brings a heartbeat every 3 s.
    pub silence: Duration,
    /// Before all servers are asked again.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            connect: Duration::from_secs(1),
            answer: Duration::from_secs(3),
            silence: Duration::from_secs(10),
            pause: Duration::from_millis(250),
        }
    }
}

/// Why one server gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The question is wrong, whoever is asked.
    Wrong(String),
    /// It answers, but not as a server of quorate does that knows the question.
    Strange(String),
    /// Another one may answer, or this one later.
    Away(String),
}

impl Trouble {
    fn line(&self) -> &str {
        let (Trouble::Wrong(line) | Trouble::Strange(line) | Trouble::Away(line)) = self;
        line
    }
}

struct Server {
    url: String,
    trouble: Option<Trouble>,
}

/// The servers in the order given, and where to go on.
///
/// - The one that answered last is asked first.
/// - One that does not answer hands over to the next at once; a pause comes only when all have been asked.
/// - A wrong question is asked once. A server that does not know the question ends the asking only when all others say the
///   same: it may be one of an older release.
pub struct Failover {
    client: Client,
    patience: Patience,
    servers: Vec<Server>,
    at: usize,
}

impl Failover {
    /// Starts with the first.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(servers: &[String], patience: Patience) -> anyhow::Result<Failover> {
        let client = config::http_client_builder()
            .connect_timeout(patience.connect)
            .read_timeout(patience.silence)
            .build()
            .context("no HTTP client")?;
        let servers = servers.iter().map(|url| Server {
            url: url.clone(),
            trouble: None,
        });
        Ok(Failover {
            client,
            patience,
            servers: servers.collect(),
            at: 0,
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.servers.len()
    }

    /// How long it waits for what.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// The server whose turn it is.
    pub fn current(&self) -> &str {
        self.servers
            .get(self.at)
            .map_or("", |server| server.url.as_str())
    }

    fn trouble(&self) -> Option<&Trouble> {
        self.servers.get(self.at)?.trouble.as_ref()
    }

    /// Remembers why this one did not answer, and turns to the next.
    ///
    /// # Errors
    /// When no other can do better.
    pub fn turn_from(&mut self, trouble: Trouble) -> Result<(), CommandError> {
        let wrong = matches!(trouble, Trouble::Wrong(_));
        let url = self.current().to_owned();
        let line = format!("{url}: {}", trouble.line());
        if let Some(server) = self.servers.get_mut(self.at) {
            server.trouble = Some(trouble);
        }
        self.at = (self.at + 1) % self.servers.len().max(1);
        let is_strange = |server: &Server| matches!(server.trouble, Some(Trouble::Strange(_)));
        if wrong || self.servers.iter().all(is_strange) {
            return Err(CommandError::Refused(line));
        }
        Ok(())
    }

    /// Remembers that this one answered.
    pub fn answered(&mut self) {
        if let Some(server) = self.servers.get_mut(self.at) {
            server.trouble = None;
        }
    }

    /// A line for each server: why it did not answer when it was last asked.
    pub fn troubles(&self) -> Vec<String> {
        self.servers
            .iter()
            .filter_map(|server| {
                let trouble = server.trouble.as_ref()?;
                Some(format!("{}: {}", server.url, trouble.line()))
            })
            .collect()
    }

    /// Asks until a server answers what `read` can make something of. No server may take more than its share of the time left, so that
    /// each has its turn.
    ///
    /// # Errors
    /// When the question is wrong, or none has answered within `limit`, in which each is asked at least once.
    pub async fn ask<T>(
        &mut self,
        question: &Question,
        limit: Duration,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let deadline = clock::now() + limit;
        loop {
            for asked in 0..self.count() {
                let left = deadline.saturating_duration_since(clock::now());
                let share = left / u32::try_from(self.count() - asked).unwrap_or(u32::MAX);
                let each = self.patience.answer.min(share);
                match self.ask_one(question, each, &read).await {
                    Ok(answer) => {
                        self.answered();
                        return Ok(answer);
                    }
                    Err(trouble) => {
                        // What it said before says more than that it was cut short now.
                        let cut_short = each < self.patience.answer && trouble == late(each);
                        let before = self.trouble().filter(|_| cut_short).cloned();
                        self.turn_from(before.unwrap_or(trouble))?;
                    }
                }
            }
            if clock::now() + self.patience.pause >= deadline {
                return Err(CommandError::Unanswered(self.troubles()).into());
            }
            sleep(self.patience.pause).await;
        }
    }

    async fn ask_one<T>(
        &self,
        question: &Question,
        limit: Duration,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Trouble> {
        let url = self.url(question)?;
        let answer = async {
            let response = self.send(url, &[(ACCEPT, "application/json")]).await?;
            body(response, BODY_BYTES_MAX).await.map_err(Trouble::Away)
        };
        let text = timeout(limit, answer).await.map_err(|_| late(limit))??;
        read(&text).map_err(|why| Trouble::Strange(format!("{why}: is it a quorate server?")))
    }

    /// Opens a stream on the server whose turn it is: only its head has come.
    ///
    /// # Errors
    /// When that server does not answer with 200.
    pub async fn open(
        &self,
        question: &Question,
        headers: &[(HeaderName, &str)],
    ) -> Result<Response, Trouble> {
        let url = self.url(question)?;
        let limit = self.patience.answer;
        let opened = timeout(limit, self.send(url, headers)).await;
        opened.map_err(|_| late(limit))?
    }

    fn url(&self, question: &Question) -> Result<Url, Trouble> {
        question.url(self.current()).map_err(Trouble::Wrong)
    }

    async fn send(&self, url: Url, headers: &[(HeaderName, &str)]) -> Result<Response, Trouble> {
        let mut request = self.client.get(url);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let response = request
            .send()
            .await
            .map_err(|error| Trouble::Away(self.reason(&error)))?;
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
            StatusCode::BAD_REQUEST => Trouble::Wrong(line),
            status if status.is_client_error() => {
                Trouble::Strange(format!("answered {status}: is it a quorate server?"))
            }
            _ => Trouble::Away(line),
        })
    }

    /// What a failed request or a broken stream comes from.
    pub fn reason(&self, error: &reqwest::Error) -> String {
        if error.is_connect() && error.is_timeout() {
            return format!("no connection within {:?}", self.patience.connect);
        }
        if error.is_timeout() {
            return format!("silent for {:?}", self.patience.silence);
        }
        innermost_cause(error)
    }
}

fn late(limit: Duration) -> Trouble {
    Trouble::Away(format!("no answer within {:.1} s", limit.as_secs_f64()))
}

async fn body(mut response: Response, bytes_max: usize) -> Result<String, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| format!("the answer broke off: {}", innermost_cause(&error)))?
    {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(format!("its answer is over {bytes_max} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| "its answer is no text".to_owned())
}

#[cfg(test)]
mod tests;
