//! A reader of server-sent events that continues at another server when the current server is lost.

use super::error::CommandError;
use super::failover::{BODY_BYTES_MAX, FailoverClient, RequestError};
use super::output;
use super::query::Query;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{BoxStream, StreamExt};
use quorate::clock::{self, Instant};
use quorate::config::innermost_cause;
use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;
use sse_stream::{Error as SseError, Sse, SseByteStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::sleep;

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// An event with data.
#[derive(Debug)]
pub struct SseEvent {
    /// The name of the event.
    pub kind: String,
    /// The id of the event. A new stream resumes after this event (`Last-Event-ID`).
    pub id: Option<String>,
    /// The data, one line of JSON.
    pub data: Box<RawValue>,
}

/// The way in which a new stream continues a broken stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Each event carries changes. The new stream is requested with the last received id, and
    /// begins with the changes after that id.
    AfterLast,
    /// Each event carries the whole state. The new stream is requested without an id, and begins
    /// with the current state.
    Anew,
}

/// The data of `event: end`, and of `event: none`.
#[derive(Debug, Deserialize)]
pub struct BreakReason {
    /// The reason, on one line.
    pub reason: String,
}

/// The error of a broken stream, with the cause if it is known.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BrokenStream(String);

/// A reader of the events of one request. It reads from one server at a time.
///
/// - Heartbeats are not returned. The reader only stores their ids.
/// - When a server ends its stream or is silent, the reader asks the next server. It pauses only
///   when all servers were tried.
/// - When no server answers, the reader prints a notice to standard error. It prints another notice
///   once a server answers again.
/// - Once the reader has opened a stream, it never gives up.
pub struct EventReader {
    failover: FailoverClient,
    query: Query,
    resume: Resume,
    last_id: Option<String>,
    open: Option<OpenStream>,
    /// Number of servers tried in a row. When all servers were tried, the reader pauses before the
    /// next attempt. If a stream breaks that was open for at least the pause time, the count
    /// restarts at 1.
    tried: usize,
    /// Number of servers in a row that did not open a stream.
    unanswered: usize,
    is_cut_off: bool,
    /// Whether a stream was ever opened. From then on no error of a server ends the reader.
    has_begun: bool,
}

/// An open stream, with the time at which it was opened.
struct OpenStream {
    blocks: BoxStream<'static, Result<Sse, SseError>>,
    since: Instant,
}

impl EventReader {
    /// Creates the reader. No request is sent before the first [`EventReader::next`].
    pub fn new(failover: FailoverClient, query: Query, resume: Resume) -> EventReader {
        EventReader {
            failover,
            query,
            resume,
            last_id: None,
            open: None,
            tried: 0,
            unanswered: 0,
            is_cut_off: false,
            has_begun: false,
        }
    }

    /// Returns the next event with data.
    ///
    /// If the future is dropped, no data that was read is lost. A connection attempt in progress is
    /// lost, and starts over with the next call.
    ///
    /// # Errors
    /// Fails when the request is invalid, or no server knows the endpoint.
    pub async fn next(&mut self) -> anyhow::Result<SseEvent> {
        loop {
            let Some(open) = &mut self.open else {
                self.connect().await?;
                continue;
            };
            let why = match open.blocks.next().await {
                Some(Ok(block)) => match self.take_in(block) {
                    Ok(None) => continue,
                    Ok(Some(event)) => return Ok(event),
                    Err(why) => why,
                },
                Some(Err(SseError::Body(broken))) => broken.to_string(),
                Some(Err(error)) => error.to_string(),
                None => "the stream ended".to_owned(),
            };
            self.lose(why)?;
        }
    }

    /// Interprets a block of lines by the rules of server-sent events. Returns an event if the
    /// block has data.
    fn take_in(&mut self, block: Sse) -> Result<Option<SseEvent>, String> {
        if block.id.is_some() {
            self.last_id = block.id;
        }
        let Some(data) = block.data else {
            return Ok(None);
        };
        // In JSON, line breaks occur only between tokens, so blanks can replace them.
        let data = RawValue::from_string(data.replace('\n', " "))
            .map_err(|error| format!("sent invalid JSON: {error}"))?;
        let kind = block.event.unwrap_or_else(|| "message".to_owned());
        if kind == "end" {
            let reason = serde_json::from_str::<BreakReason>(data.get());
            return Err(reason.map_or_else(|_| "the stream ended".to_owned(), |end| end.reason));
        }
        Ok(Some(SseEvent {
            kind,
            id: self.last_id.clone(),
            data,
        }))
    }

    /// Drops the broken stream, and switches to the next server.
    fn lose(&mut self, why: String) -> Result<(), CommandError> {
        let open = self.open.take();
        let pause = self.failover.timeouts().pause;
        let lived = open.is_some_and(|open| clock::now() - open.since >= pause);
        self.tried = if lived { 1 } else { self.tried + 1 };
        self.failover.next_server(RequestError::Unavailable(why))
    }

    /// Tries to open the stream on the current server. Pauses first if all servers were tried.
    async fn connect(&mut self) -> Result<(), CommandError> {
        if self.tried >= self.failover.count() {
            sleep(self.failover.timeouts().pause).await;
            self.tried = 0;
        }
        match self.open_one().await {
            Ok(open) => {
                self.failover.answered();
                self.has_begun = true;
                self.unanswered = 0;
                if std::mem::take(&mut self.is_cut_off) {
                    let server = self.failover.current();
                    output::notice(&format!("connected to {server}"));
                }
                self.open = Some(open);
            }
            Err(error) => {
                let error = self.bearable(error);
                self.failover.next_server(error)?;
                self.tried += 1;
                self.unanswered += 1;
                if self.unanswered >= self.failover.count() && !self.is_cut_off {
                    self.is_cut_off = true;
                    let errors = self.failover.errors().join("; ");
                    output::notice(&format!("no server answers, retrying: {errors}"));
                }
            }
        }
        Ok(())
    }

    /// Turns an error into a temporary one if a stream was opened before, and otherwise returns it
    /// unchanged. Once a stream was opened, the error need not be final: a proxy may have answered
    /// in place of a node that restarts, or a node of another release may use another form of ids.
    fn bearable(&mut self, error: RequestError) -> RequestError {
        match error {
            RequestError::Invalid(line) if self.has_begun => {
                self.last_id = None;
                RequestError::Unavailable(line)
            }
            RequestError::Unexpected(line) if self.has_begun => RequestError::Unavailable(line),
            other => other,
        }
    }

    /// Opens a stream on the current server, and resumes after the last id if the stream carries
    /// changes.
    async fn open_one(&self) -> Result<OpenStream, RequestError> {
        let mut headers = vec![(ACCEPT, EVENT_STREAM)];
        let resumed = self.last_id.as_deref().filter(|id| {
            self.resume == Resume::AfterLast && !id.is_empty() && HeaderValue::from_str(id).is_ok()
        });
        headers.extend(resumed.map(|id| (LAST_EVENT_ID, id)));
        let response = self.failover.open(&self.query, &headers).await?;
        if !is_event_stream(&response) {
            let why = "the response is not an event stream: is it a quorate server?";
            return Err(RequestError::Unexpected(why.to_owned()));
        }
        let silence = self.failover.timeouts().silence;
        let bytes = response.bytes_stream().map(move |chunk| {
            chunk.map_err(|error| {
                BrokenStream(if error.is_timeout() {
                    format!("silent for {silence:?}")
                } else {
                    innermost_cause(&error)
                })
            })
        });
        Ok(OpenStream {
            blocks: blocks(bytes, BODY_BYTES_MAX),
            since: clock::now(),
        })
    }
}

fn is_event_stream(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(EVENT_STREAM.as_bytes()))
}

/// Parses a stream into blocks. The stream fails at a block of more than `event_bytes_max` bytes,
/// which no node sends.
fn blocks(
    bytes: impl Stream<Item = Result<Bytes, BrokenStream>> + Send + 'static,
    event_bytes_max: usize,
) -> BoxStream<'static, Result<Sse, SseError>> {
    let unparsed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&unparsed);
    let bytes = bytes.map(move |chunk| {
        let chunk = chunk?;
        if counted.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len() > event_bytes_max {
            return Err(BrokenStream(format!(
                "sent an event larger than {event_bytes_max} bytes"
            )));
        }
        Ok(chunk)
    });
    SseByteStream::new(bytes)
        .inspect(move |_| unparsed.store(0, Ordering::Relaxed))
        .boxed()
}

#[cfg(test)]
mod tests;
