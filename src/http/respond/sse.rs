//! Server-sent event streams, with heartbeats, a final event, a permit for each stream, and
//! positions from which a reader resumes.

use crate::clock::now;
use crate::http::backend::Backend;
use crate::http::error::{ApiError, error_line};
use crate::http::request::content_negotiation::accepts;
use crate::http::state::{App, QUORATE_INDEX, stopped};
use crate::model::decimal;
use crate::raft::{Unavailable, WatchEvent, Watcher};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior};

/// Time between two heartbeats. A reader may consider a node dead after three silent intervals.
/// With ten thousand streams, heartbeats cost a node a few thousand small writes per second.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(3);

/// Maximum size of data that is copied into one chunk with the event's other lines, so that a small
/// event is one write.
const COPIED_BYTES_MAX: usize = 4 << 10;

/// The header that makes nginx forward each event immediately.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Rejects a client that does not accept event streams.
///
/// # Errors
/// Fails with 406 if the client does not accept event streams.
pub(in crate::http) fn check_accepted(headers: &HeaderMap) -> Result<(), ApiError> {
    match accepts(headers, "text", "event-stream") {
        true => Ok(()),
        false => Err(ApiError::NoEventStream),
    }
}

/// A position in a stream, from which a reader can resume the stream on any node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Position {
    pub(in crate::http) cluster_id: u64,
    pub(in crate::http) index: u64,
}

impl Position {
    /// Returns the position that consists of the id of the watcher's cluster and a log index.
    pub(in crate::http) fn on(watcher: &Watcher, index: u64) -> Position {
        Position {
            cluster_id: watcher.cluster_id(),
            index,
        }
    }

    /// Parses the `id` of an event, as [`EventBuffer`] wrote it.
    pub(in crate::http) fn parse(text: &str) -> Option<Position> {
        let (cluster_id, index) = text.split_once(':')?;
        let is_id = cluster_id.len() == 16 && cluster_id.bytes().all(|b| b.is_ascii_hexdigit());
        Some(Position {
            cluster_id: is_id.then(|| u64::from_str_radix(cluster_id, 16).ok())??,
            index: decimal(index)?,
        })
    }
}

/// Events to be sent, each with its position as `id`.
///
/// Large data is shared by all readers and never copied. A reader that takes nothing therefore
/// costs only its permit.
#[derive(Debug, Default)]
pub(in crate::http) struct EventBuffer {
    ready: VecDeque<Bytes>,
    /// The last chunk, which may still grow.
    text: Vec<u8>,
}

impl EventBuffer {
    /// Appends an event; `data` is one line, with or without its newline.
    pub(in crate::http) fn push(&mut self, name: &str, position: Position, data: Bytes) {
        let end = data.trim_ascii_end().len();
        self.text.extend_from_slice(b"event: ");
        self.text.extend_from_slice(name.as_bytes());
        self.text.push(b'\n');
        self.push_id(position);
        self.text.extend_from_slice(b"data: ");
        if end <= COPIED_BYTES_MAX {
            self.text.extend_from_slice(&data[..end]);
        } else {
            self.ready.push_back(std::mem::take(&mut self.text).into());
            self.ready.push_back(data.slice(..end));
        }
        self.text.extend_from_slice(b"\n\n");
    }

    /// Appends an `id` without data. Readers do not treat it as an event, but remember the
    /// position.
    fn push_heartbeat(&mut self, position: Position) {
        self.push_id(position);
        self.text.push(b'\n');
    }

    fn push_id(&mut self, position: Position) {
        let Position { cluster_id, index } = position;
        self.text
            .extend_from_slice(format!("id: {cluster_id:016x}:{index}\n").as_bytes());
    }

    /// Returns the next chunk to send.
    fn take(&mut self) -> Option<Bytes> {
        self.ready
            .pop_front()
            .or_else(|| (!self.text.is_empty()).then(|| std::mem::take(&mut self.text).into()))
    }
}

/// The reason why a stream ends before its reader disconnects. The stream's last event states it.
#[derive(Debug, Error)]
pub(in crate::http) enum StreamEnd {
    /// This node has no state to show, or its state may be stale.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The state could not be looked up or rendered.
    #[error("{}", error_line(.0))]
    Failed(ApiError),
}

/// The source of the events of a stream.
///
/// - `poll_changes` appends the changes since its last call, in order, and returns the index up to
///   which the stream is complete.
/// - `poll_changes` reads local state, which includes every change that the watcher has reported.
pub(in crate::http) trait Source: Send + 'static {
    /// Returns the watcher whose events wake the stream.
    fn watcher(&mut self) -> &mut Watcher;

    /// Appends the changes since the last call.
    ///
    /// # Errors
    /// Fails if this node has no state to show.
    fn poll_changes(
        &mut self,
        events: &mut EventBuffer,
    ) -> impl Future<Output = Result<u64, StreamEnd>> + Send;
}

/// Returns the response that streams `source` until its reader disconnects or this node stops.
/// `first` holds the initial events, up to `index`.
pub(in crate::http) fn answer<D: Backend>(
    app: &App<D>,
    source: impl Source,
    first: EventBuffer,
    index: u64,
    permit: OwnedSemaphorePermit,
) -> Response {
    let mut heartbeat = tokio::time::interval_at(now() + HEARTBEAT_INTERVAL, HEARTBEAT_INTERVAL);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let open = EventStream {
        source,
        stop: app.stop.clone(),
        events: first,
        index,
        heartbeat,
        ended: false,
        _permit: permit,
    };
    // The connection pulls chunks when its socket accepts more, so that a slow reader costs no
    // memory. The connection's limit for stalled clients cuts off a reader that takes nothing at
    // all.
    let chunks = stream::unfold(open, |mut open| async move {
        let chunk = open.next().await?;
        Some((Ok::<_, Infallible>(chunk), open))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(CONTENT_TYPE, fixed("text/event-stream"));
    headers.insert(CACHE_CONTROL, fixed("no-store"));
    headers.insert(X_ACCEL_BUFFERING, fixed("no"));
    headers.insert(QUORATE_INDEX, HeaderValue::from(index));
    response
}

/// An open stream.
struct EventStream<S> {
    source: S,
    /// A flag that becomes true when the server stops. Each stream has its own receiver. Otherwise,
    /// thousands of streams that wake at the same time would clone a shared receiver, and contend
    /// for the lock of that receiver.
    stop: watch::Receiver<bool>,
    /// Events that are not yet sent.
    events: EventBuffer,
    /// The log index up to which every change is sent, or is in `events`.
    index: u64,
    heartbeat: Interval,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl<S: Source> EventStream<S> {
    /// Returns the next chunk to send, which belongs to a change, a heartbeat or the final event.
    /// Returns `None` at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.events.take() {
                return Some(chunk);
            }
            if self.ended {
                return None;
            }
            let alive = tokio::select! {
                event = self.source.watcher().next() => match event {
                    WatchEvent::Changed => self.poll_changes().await,
                    WatchEvent::Lost(reason) => Err(Unavailable::Reported(reason).into()),
                },
                _ = self.heartbeat.tick() => {
                    let looked = self.poll_changes().await;
                    if looked.is_ok() {
                        let position = self.position();
                        self.events.push_heartbeat(position);
                    }
                    looked
                }
                () = stopped(&mut self.stop) => Err(Unavailable::Stopping.into()),
            };
            if let Err(end) = alive {
                self.end(&end);
            }
        }
    }

    async fn poll_changes(&mut self) -> Result<(), StreamEnd> {
        let index = self.source.poll_changes(&mut self.events).await?;
        self.index = self.index.max(index);
        Ok(())
    }

    /// Ends the stream with a final event, which states the reason.
    fn end(&mut self, reason: &StreamEnd) {
        self.ended = true;
        let data = serde_json::json!({ "reason": reason.to_string() }).to_string();
        let position = self.position();
        self.events.push("end", position, data.into());
    }

    fn position(&mut self) -> Position {
        Position::on(self.source.watcher(), self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Large data is sent unchanged, in a separate chunk that is shared and not copied. The chunks
    /// before and after the data hold the other lines of the event.
    #[test]
    fn large_data_is_shared() {
        let position = Position {
            cluster_id: 1,
            index: 2,
        };
        let mut line = vec![b'x'; COPIED_BYTES_MAX + 1];
        line.push(b'\n');
        let data = Bytes::from(line);
        let mut events = EventBuffer::default();
        events.push("state", position, data.clone());
        events.push_heartbeat(position);
        let out: Vec<Bytes> = std::iter::from_fn(|| events.take()).collect();
        let [head, shared, end] = out.as_slice() else {
            panic!("{} chunks", out.len());
        };
        assert!(head.ends_with(b"\ndata: ") && end.starts_with(b"\n\nid: "));
        assert_eq!(
            (shared.as_ptr(), shared.len()),
            (data.as_ptr(), data.len() - 1)
        );
    }

    /// The `id` of an event or a heartbeat parses to its position. Any other text is rejected.
    #[test]
    fn positions_come_back() {
        let position = Position {
            cluster_id: 0xa1,
            index: 1207,
        };
        let mut events = EventBuffer::default();
        events.push("change", position, Bytes::from_static(b"{}\n"));
        events.push_heartbeat(position);
        let id = "00000000000000a1:1207";
        let text = format!("event: change\nid: {id}\ndata: {{}}\n\nid: {id}\n\n");
        assert_eq!(events.take(), Some(text.into()));
        assert_eq!(events.take(), None);
        assert_eq!(Position::parse(id), Some(position));
        for bad in [
            "",
            "1207",
            ":1207",
            "00000000000000a1:",
            "00000000000000a1:-1",
            "00000000000000a1:1:2",
            "a1:1207",
            "0000000000000_a1:1207",
            "+0000000000000a1:1207",
            "00000000000000a1:99999999999999999999",
        ] {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }
}
