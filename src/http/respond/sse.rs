//! Streams of server-sent events: heartbeats, the last event, and a place for each.

use crate::clock::now;
use crate::http::backend::Discovery;
use crate::http::error::Refusal;
use crate::http::request::content_negotiation::accepts;
use crate::http::state::{App, QUORATE_INDEX, stopped};
use crate::raft::{Feed, Unavailable, Wake};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior};

/// Between two heartbeats. A reader may take a node that says nothing for three of them for dead; ten thousand streams
/// cost a node some thousand small writes a second.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(3);

/// What is copied into one piece with its event's other lines, so that a small event is one write.
const COPIED_BYTES_MAX: usize = 4 << 10;

/// Tells nginx to pass each event on at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Refuses a client that cannot read events.
///
/// # Errors
/// 406.
pub(in crate::http) fn check_accepted(headers: &HeaderMap) -> Result<(), Refusal> {
    match accepts(headers, "text", "event-stream") {
        true => Ok(()),
        false => Err(Refusal::NoEventStream),
    }
}

/// Where a stream is: what a reader that comes back, to any node, goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Position {
    pub(in crate::http) cluster_id: u64,
    pub(in crate::http) index: u64,
}

impl Position {
    /// At an index of the cluster that a feed is of.
    pub(in crate::http) fn on(feed: &Feed, index: u64) -> Position {
        Position {
            cluster_id: feed.cluster_id(),
            index,
        }
    }

    /// Reads what [`Events`] wrote as `id`.
    pub(in crate::http) fn parse(text: &str) -> Option<Position> {
        let (cluster_id, index) = text.split_once(':')?;
        let is_id = cluster_id.len() == 16 && cluster_id.bytes().all(|b| b.is_ascii_hexdigit());
        Some(Position {
            cluster_id: is_id.then(|| u64::from_str_radix(cluster_id, 16).ok())??,
            index: index.parse().ok()?,
        })
    }
}

/// Events on their way out, each with its position as `id`.
///
/// What is large is shared with every other reader of it, never copied: a reader that takes nothing costs its place alone.
#[derive(Debug, Default)]
pub(in crate::http) struct Events {
    ready: VecDeque<Bytes>,
    /// The end of it, which may still grow.
    text: Vec<u8>,
}

impl Events {
    /// An event; `data` is one line, with or without its end.
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

    /// A position alone: readers dispatch nothing, and remember it.
    fn push_heartbeat(&mut self, position: Position) {
        self.push_id(position);
        self.text.push(b'\n');
    }

    fn push_id(&mut self, position: Position) {
        let Position { cluster_id, index } = position;
        self.text
            .extend_from_slice(format!("id: {cluster_id:016x}:{index}\n").as_bytes());
    }

    /// What goes out next.
    fn take(&mut self) -> Option<Bytes> {
        self.ready
            .pop_front()
            .or_else(|| (!self.text.is_empty()).then(|| std::mem::take(&mut self.text).into()))
    }
}

/// What a stream shows.
///
/// - `look` writes what is new since it was last called, in order, and gives the index up to which nothing is missing.
/// - It is never behind: it reads local state, which shows everything that the feed has woken for.
pub(in crate::http) trait Source: Send + 'static {
    /// What wakes the stream.
    fn feed(&mut self) -> &mut Feed;

    /// # Errors
    /// When this node has no state to show.
    fn look(&mut self, events: &mut Events) -> Result<u64, Unavailable>;
}

/// The answer that shows `source` for as long as its reader and this node last. `first` is what is there already, up to
/// `index`.
pub(in crate::http) fn answer<D: Discovery>(
    app: &App<D>,
    source: impl Source,
    first: Events,
    index: u64,
    place: OwnedSemaphorePermit,
) -> Response {
    let mut heartbeat = tokio::time::interval_at(now() + HEARTBEAT_INTERVAL, HEARTBEAT_INTERVAL);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let open = Open {
        source,
        stop: app.stop.clone(),
        events: first,
        index,
        heartbeat,
        ended: false,
        _place: place,
    };
    // Pulled by the connection when its socket takes more, so that a slow reader costs no memory; on HTTP/1 one that takes
    // nothing at all is cut by the connection's own limit.
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

/// A stream that is read.
struct Open<S> {
    source: S,
    /// The server stops. Its own, since thousands that wake at once would wait for each other to copy one.
    stop: watch::Receiver<bool>,
    /// Written and not yet sent.
    events: Events,
    /// All up to this is sent, or in `events`.
    index: u64,
    heartbeat: Interval,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl<S: Source> Open<S> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.events.take() {
                return Some(chunk);
            }
            if self.ended {
                return None;
            }
            let alive = tokio::select! {
                wake = self.source.feed().next() => match wake {
                    Wake::Changed => self.look(),
                    Wake::Lost(reason) => Err(Unavailable { reason }),
                },
                _ = self.heartbeat.tick() => {
                    let looked = self.look();
                    if looked.is_ok() {
                        let position = self.position();
                        self.events.push_heartbeat(position);
                    }
                    looked
                }
                () = stopped(&mut self.stop) => Err(Unavailable {
                    reason: "this node is stopping".to_owned(),
                }),
            };
            if let Err(Unavailable { reason }) = alive {
                self.end(&reason);
            }
        }
    }

    fn look(&mut self) -> Result<(), Unavailable> {
        let index = self.source.look(&mut self.events)?;
        self.index = self.index.max(index);
        Ok(())
    }

    fn end(&mut self, reason: &str) {
        self.ended = true;
        let data = serde_json::json!({ "reason": reason }).to_string();
        let position = self.position();
        self.events.push("end", position, data.into());
    }

    fn position(&mut self) -> Position {
        Position::on(self.source.feed(), self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is large goes out as it is, shared and not copied, between the lines that belong to it.
    #[test]
    fn large_data_is_shared() {
        let position = Position {
            cluster_id: 1,
            index: 2,
        };
        let mut line = vec![b'x'; COPIED_BYTES_MAX + 1];
        line.push(b'\n');
        let data = Bytes::from(line);
        let mut events = Events::default();
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

    /// A position comes back as it was written; anything else is none.
    #[test]
    fn positions_come_back() {
        let position = Position {
            cluster_id: 0xa1,
            index: 1207,
        };
        let mut events = Events::default();
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
