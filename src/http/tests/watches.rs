//! Tests of event streams.

use super::held::{announce, followed, get, settings};
use super::server::{TestServer, byte};
use crate::clock::now;
use crate::http::fake_backend::{Mode, batch};
use crate::registry::Command;
use serde_json::Value;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const PATH: &str = "/v1/watch/presto/general";
/// Maximum number of heartbeats before an expected event. The event arrives much sooner than that.
const HEARTBEATS_BETWEEN_EVENTS: usize = 3;

/// An event stream that is read event by event.
pub(super) struct ReceivedStream(TcpStream);

/// An event, parsed from its lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReceivedEvent {
    pub(super) name: Option<String>,
    pub(super) id: String,
    pub(super) data: Value,
}

impl ReceivedStream {
    /// Opens a stream. Uses HTTP/1.0, so that the body is not chunked.
    pub(super) async fn open(server: &TestServer, path: &str, headers: &str) -> ReceivedStream {
        let mut stream = server.connect().await;
        let request = get(path, headers).replace("HTTP/1.1", "HTTP/1.0");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("the server reads");
        let mut opened = ReceivedStream(stream);
        let mut head = Vec::new();
        while let Some(line) = opened.line().await.filter(|line| !line.is_empty()) {
            head.push(line.to_lowercase());
        }
        assert!(head[0].contains(" 200 "), "{head:?}");
        assert!(head.contains(&"content-type: text/event-stream".to_owned()));
        assert!(head.contains(&"x-accel-buffering: no".to_owned()));
        opened
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            match byte(&mut self.0).await? {
                b'\n' => break,
                b'\r' => {}
                other => line.push(other),
            }
        }
        Some(String::from_utf8(line).expect("text"))
    }

    /// Returns the next event or heartbeat; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<ReceivedEvent> {
        let mut event = ReceivedEvent {
            name: None,
            id: String::new(),
            data: Value::Null,
        };
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                None => return Some(event),
                Some(("event", name)) => event.name = Some(name.to_owned()),
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
                Some(other) => panic!("{other:?}"),
            }
        }
    }

    /// Returns the next event that has a name.
    pub(super) async fn event(&mut self) -> ReceivedEvent {
        for _ in 0..HEARTBEATS_BETWEEN_EVENTS {
            let event = self.next().await.expect("the stream goes on");
            if event.name.is_some() {
                return event;
            }
        }
        panic!("nothing but heartbeats");
    }
}

fn id(index: u64) -> String {
    format!("00000000000000a1:{index}")
}

fn named(event: &ReceivedEvent) -> (&str, &str) {
    (event.name.as_deref().unwrap_or_default(), &event.id)
}

fn withdraw(server: &TestServer, node_id: &str) -> u64 {
    server.backend.apply(|seen| Command::Withdraw {
        seen,
        node_id: node_id.to_owned(),
    })
}

/// A stream shows the state and each later change of its own lookup, until its reader disconnects.
/// Each change has the index of its log entry. A type without services has an empty state.
#[tokio::test]
async fn a_stream_shows_the_state_and_each_change() {
    let server = TestServer::start().await;
    let mut stream = ReceivedStream::open(&server, PATH, "").await;
    let state = stream.event().await;
    assert_eq!(named(&state), ("state", id(0).as_str()));
    assert_eq!(
        state.data,
        serde_json::json!({"environment": "test", "services": []})
    );
    announce(&server, "other", "trino", "x");
    let joined = announce(&server, "w1", "presto", "a");
    announce(&server, "w1", "presto", "a");
    let changed = announce(&server, "w1", "presto", "b");
    let left = withdraw(&server, "w1");
    let events = [
        stream.event().await,
        stream.event().await,
        stream.event().await,
    ];
    let service = |http: &str| {
        serde_json::json!({"id": "id-of-w1", "nodeId": "w1", "type": "presto", "pool": "general",
            "location": "/w1", "properties": {"http": http}})
    };
    let expected = [
        (
            joined,
            serde_json::json!({"removed": [], "services": [service("a")]}),
        ),
        (
            changed,
            serde_json::json!({"removed": [], "services": [service("b")]}),
        ),
        (
            left,
            serde_json::json!({"removed": [{"id": "id-of-w1", "nodeId": "w1", "type": "presto",
                "pool": "general"}], "services": []}),
        ),
    ];
    for (event, (index, data)) in events.iter().zip(expected) {
        assert_eq!(named(event), ("change", id(index).as_str()));
        assert_eq!(event.data, data);
    }
    drop(stream);
    // The server notices the disconnect at the next heartbeat at the latest.
    followed(&server, 0).await;
}

/// A reader that reconnects with the id of an event or a heartbeat gets only the changes that it
/// missed. The id may be in `Last-Event-ID` or in `?from=`. An id works even after the history is
/// discarded, if the lookup has not changed since that id.
#[tokio::test]
async fn a_stream_goes_on_from_an_id() {
    let server = TestServer::start().await;
    let first = announce(&server, "w1", "presto", "a");
    let second = announce(&server, "w1", "presto", "b");
    announce(&server, "other", "trino", "x");
    for by_header in [true, false] {
        let (path, headers) = match by_header {
            true => (PATH.to_owned(), format!("Last-Event-ID: {}\r\n", id(first))),
            false => (format!("{PATH}?from={}", id(first)), String::new()),
        };
        let mut stream = ReceivedStream::open(&server, &path, &headers).await;
        assert_eq!(
            named(&stream.event().await),
            ("change", id(second).as_str())
        );
    }
    let mut stream =
        ReceivedStream::open(&server, &format!("{PATH}?from={}", id(second)), "").await;
    let third = announce(&server, "w1", "presto", "c");
    assert_eq!(named(&stream.event().await), ("change", id(third).as_str()));
    let now_at = server.backend.applied();
    let mut stream =
        ReceivedStream::open(&server, PATH, &format!("Last-Event-ID: {}\r\n", id(now_at))).await;
    let heartbeat = stream.next().await.expect("a heartbeat");
    assert_eq!((heartbeat.name, heartbeat.id), (None, id(now_at)));

    server.backend.forget_changes();
    let last = announce(&server, "other", "trino", "y");
    let mut stream =
        ReceivedStream::open(&server, &format!("{PATH}?from={}", id(now_at)), "").await;
    let next = announce(&server, "w9", "presto", "z");
    assert_eq!(named(&stream.event().await), ("change", id(next).as_str()));
    assert!(last < next);
}

/// If a reader cannot resume from its id, the stream begins with a `reset` and the whole state.
/// This happens if the id is from another cluster, is too old, or has an index that this node has
/// not reached. A snapshot that replaces the state also resets an open stream. A malformed id is
/// rejected.
#[tokio::test]
async fn what_was_missed_is_made_up_for_by_the_state() {
    let server = TestServer::start().await;
    announce(&server, "w1", "presto", "a");
    server.backend.forget_changes();
    announce(&server, "w2", "presto", "a");
    let at = server.backend.applied();
    let of_others = "00000000000000b2:1".to_owned();
    for from in [id(0), id(at + 1), of_others] {
        let mut stream = ReceivedStream::open(&server, &format!("{PATH}?from={from}"), "").await;
        let reset = stream.event().await;
        assert_eq!(named(&reset), ("reset", id(at).as_str()), "{from}");
        assert_eq!(reset.data["services"].as_array().map(Vec::len), Some(2));
    }
    let mut stream = ReceivedStream::open(&server, PATH, "").await;
    assert_eq!(named(&stream.event().await).0, "state");
    server.backend.install(|registry| {
        let withdraw = Command::Withdraw {
            seen: at,
            node_id: "w1".to_owned(),
        };
        registry.apply(at + 50, &batch(withdraw));
    });
    let reset = stream.event().await;
    assert_eq!(named(&reset), ("reset", id(at + 50).as_str()));
    assert_eq!(reset.data["services"].as_array().map(Vec::len), Some(1));

    for bad in ["7", "x:7", "00000000000000a1:", "00000000000000a1:-7"] {
        let refused = server
            .ask(get(PATH, &format!("Last-Event-ID: {bad}\r\n")))
            .await;
        assert_eq!(refused.status, 400, "{bad}");
        assert!(
            refused.body.starts_with(b"The header Last-Event-ID"),
            "{bad}"
        );
        let refused = server.ask(get(&format!("{PATH}?from={bad}"), "")).await;
        assert!(refused.body.starts_with(b"The parameter from"), "{bad}");
    }
}

/// The last event of a stream states why the stream ends, and the position to resume from. The
/// reason is that the node stops, or that it no longer serves reads.
#[tokio::test]
async fn a_stream_says_why_it_ends() {
    for lost in [false, true] {
        let server = TestServer::start().await;
        let index = announce(&server, "w1", "presto", "a");
        let mut stream = ReceivedStream::open(&server, PATH, "").await;
        stream.event().await;
        match lost {
            true => server.backend.set_lost(Some("no majority")),
            false => drop(tokio::spawn(server.stop())),
        }
        let end = stream.event().await;
        assert_eq!(named(&end), ("end", id(index).as_str()));
        assert_eq!(
            end.data["reason"],
            if lost {
                "no majority"
            } else {
                "this node is stopping"
            }
        );
        assert_eq!(stream.next().await, None);
    }
}

/// A stream requires a permit, a quorum and a reader that accepts events; otherwise the request
/// gets an error.
#[tokio::test]
async fn a_stream_that_cannot_be_is_refused() {
    let server = TestServer::with(settings(20_000, 1)).await;
    let stream = ReceivedStream::open(&server, PATH, "").await;
    for path in [PATH, "/v1/watch/presto", "/v1/coordinator?watch"] {
        let refused = server.ask(get(path, "")).await;
        assert_eq!(
            (refused.status, refused.headers["retry-after"].as_str()),
            (503, "1")
        );
    }
    drop(stream);
    followed(&server, 0).await;
    let refused = server.ask(get(PATH, "Accept: application/json\r\n")).await;
    assert_eq!(refused.status, 406);
    server.backend.set(Mode::No);
    assert_eq!(server.ask(get(PATH, "")).await.status, 503);
}

/// A reader that takes nothing is cut off after the connection's time limit for stalled clients,
/// which frees its permit. Until the reader is cut off, no changes accumulate in memory for it.
#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut() {
    let server = TestServer::with(settings(20_000, 1)).await;
    let mut stuck = server.connect().await;
    stuck
        .write_all(get(PATH, "").as_bytes())
        .await
        .expect("the server reads");
    followed(&server, 1).await;
    let began = now();
    let large = "x".repeat(200_000);
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let mut changes = 0;
    while server.backend.followed() > 0 {
        pace.tick().await;
        // The changes together are larger than any socket buffer.
        if changes < 100 {
            changes += 1;
            announce(&server, "w1", "presto", &format!("{changes}{large}"));
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it is still there"
        );
    }
    assert!(began.elapsed() >= Duration::from_secs(20), "cut too soon");
}
