//! Tests of streams that arrive in pieces, and of the resumption of broken streams.

use super::*;
use crate::cli::client::error::exit_code_of;
use crate::cli::client::failover::Timeouts;
use crate::cli::fake_server::{FakeServer, Reply, broken_stream, stream};
use futures_util::stream;
use std::time::Duration;

fn events(servers: &[&FakeServer], resume: Resume, timeouts: Timeouts) -> EventReader {
    let urls: Vec<String> = servers.iter().map(|server| server.url()).collect();
    let failover = FailoverClient::new(&urls, quorate::config::http_client_builder(), timeouts)
        .expect("a client");
    EventReader::new(failover, Query::of(["v1", "watch", "trino"]), resume)
}

/// Returns the next event as a test writes it: name, id and data.
async fn next(events: &mut EventReader) -> (String, String, String) {
    let event = events.next().await.expect("an event");
    let id = event.id.expect("an id");
    (event.kind, id, event.data.get().to_owned())
}

fn is(kind: &str, id: &str, data: &str) -> (String, String, String) {
    (kind.to_owned(), id.to_owned(), data.to_owned())
}

fn last_event_id(server: &FakeServer, number: usize) -> Option<String> {
    server.requests()[number]
        .headers
        .get("last-event-id")
        .cloned()
}

/// Events are parsed whole, however their bytes are split. Names, line ends and data of several
/// lines follow the standard.
#[tokio::test]
async fn a_stream_in_pieces_is_read() {
    let text = "event: state\r\nid: c:1\r\ndata: {\"services\":\r\ndata: [\"\u{fc}\"]}\r\n\r\n\
                : a comment\n\nid: c:2\n\nretry: 5\nevent:change\nid:c:3\ndata:[]\n\n";
    for size in [1, 2, 7, text.len()] {
        let bytes: Vec<_> = text
            .as_bytes()
            .chunks(size)
            .map(Bytes::copy_from_slice)
            .collect();
        let blocks: Vec<Sse> = blocks(stream::iter(bytes.into_iter().map(Ok)), text.len())
            .map(|block| block.expect("whole"))
            .collect()
            .await;
        let [state, heartbeat, change] = blocks.as_slice() else {
            panic!("{blocks:?}")
        };
        assert_eq!(state.event.as_deref(), Some("state"));
        assert_eq!(state.data.as_deref(), Some("{\"services\":\n[\"\u{fc}\"]}"));
        assert_eq!(
            (heartbeat.id.as_deref(), &heartbeat.data),
            (Some("c:2"), &None)
        );
        assert_eq!(change.event.as_deref(), Some("change"));
        assert_eq!(change.id.as_deref(), Some("c:3"));
        assert_eq!(change.data.as_deref(), Some("[]"));
    }
}

/// The size limit applies to one event, not to a stream. An endless event breaks the stream.
#[tokio::test]
async fn an_endless_event_breaks_the_stream() {
    let parts = ["data: 1\n\n", "data: 2\n\n", "data: 3", "333", "333"];
    let bytes = stream::iter(parts.map(|part| Ok(Bytes::from_static(part.as_bytes()))));
    let mut blocks = blocks(bytes, 10);
    for _ in 0..2 {
        assert!(matches!(blocks.next().await, Some(Ok(_))));
    }
    assert!(matches!(blocks.next().await, Some(Err(SseError::Body(_)))));
    assert!(blocks.next().await.is_none());
}

/// A broken stream resumes at the next server after the last received id, even if that id is from a
/// heartbeat. An incomplete event is dropped. Ids may have any form.
#[tokio::test]
async fn a_broken_stream_goes_on_at_the_next_server() {
    let first = FakeServer::start(|_, _| {
        broken_stream(
            "event: state\nid: c:1\ndata: []\n\nevent: change\nid: c:2\ndata: {}\n\nid: c:9\n\n\
             event: change\nid: c:10\ndata: {\"half\":",
        )
    });
    let second = FakeServer::start(|_, _| {
        broken_stream(
            "event: change\nid: c:10\ndata: {\"whole\":1}\n\nevent: reset\nid: d:1\ndata: []\n\n",
        )
    });
    let mut events = events(&[&first, &second], Resume::AfterLast, Timeouts::default());
    assert_eq!(next(&mut events).await, is("state", "c:1", "[]"));
    assert_eq!(next(&mut events).await, is("change", "c:2", "{}"));
    assert_eq!(
        next(&mut events).await,
        is("change", "c:10", "{\"whole\":1}")
    );
    assert_eq!(next(&mut events).await, is("reset", "d:1", "[]"));
    assert_eq!(first.requests()[0].target, "/v1/watch/trino");
    assert_eq!(last_event_id(&first, 0), None);
    assert_eq!(last_event_id(&second, 0).as_deref(), Some("c:9"));

    assert_eq!(next(&mut events).await, is("state", "c:1", "[]"));
    assert_eq!(last_event_id(&first, 1).as_deref(), Some("d:1"));
}

/// If events carry the whole state, a broken stream is requested anew, without an id.
#[tokio::test]
async fn a_state_is_asked_for_anew() {
    let server = FakeServer::start(|number, _| {
        broken_stream(&format!(
            "event: coordinator\nid: c:{number}\ndata: {{}}\n\n"
        ))
    });
    let mut events = events(&[&server], Resume::Anew, Timeouts::default());
    assert_eq!(next(&mut events).await, is("coordinator", "c:0", "{}"));
    assert_eq!(next(&mut events).await, is("coordinator", "c:1", "{}"));
    assert_eq!(last_event_id(&server, 1), None);
}

/// The next server is asked after each kind of loss. The lost server announces the end of its
/// stream, is silent, sends an invalid event, or no longer knows the endpoint.
#[tokio::test]
async fn every_kind_of_loss_hands_over() {
    let ends = FakeServer::start(|_, _| {
        let (sender, reply) = stream_of("event: state\nid: c:1\ndata: []\n\n");
        sender
            .send("event: end\nid: c:2\ndata: {\"reason\":\"stopping\"}\n\n".to_owned())
            .expect("room");
        // The connection stays open, so only the event `end` can end the stream.
        std::mem::forget(sender);
        reply
    });
    let is_silent = FakeServer::start(|_, _| {
        let (sender, reply) = stream_of("event: change\nid: c:3\ndata: 3\n\n");
        std::mem::forget(sender);
        reply
    });
    let raves = FakeServer::start(|_, _| broken_stream("data: {no json\nid: c:4\n\n"));
    let forgot = FakeServer::saying(404, "not found");
    let last = FakeServer::start(|_, _| broken_stream("event: change\nid: c:5\ndata: 5\n\n"));
    let timeouts = Timeouts {
        silence: Duration::from_secs(1),
        ..Timeouts::default()
    };
    let servers = [&ends, &is_silent, &raves, &forgot, &last];
    let mut events = events(&servers, Resume::AfterLast, timeouts);
    assert_eq!(next(&mut events).await, is("state", "c:1", "[]"));
    assert_eq!(next(&mut events).await, is("change", "c:3", "3"));
    assert_eq!(next(&mut events).await, is("change", "c:5", "5"));
    assert_eq!(last_event_id(&is_silent, 0).as_deref(), Some("c:2"));
    assert_eq!(last_event_id(&raves, 0).as_deref(), Some("c:3"));
    assert_eq!(forgot.requests().len(), 1);
}

fn stream_of(text: &str) -> (std::sync::mpsc::SyncSender<String>, Reply) {
    let (sender, reply) = stream();
    sender.send(text.to_owned()).expect("room");
    (sender, reply)
}

/// If no server knows the endpoint, the first request fails. Once a stream was open, no error is
/// final.
#[tokio::test]
async fn a_stream_that_began_is_never_given_up() {
    let unexpected = FakeServer::saying(404, "");
    let page = FakeServer::saying(200, "<html>");
    let mut never = events(
        &[&unexpected, &page],
        Resume::AfterLast,
        Timeouts::default(),
    );
    let error = never.next().await.expect_err("refused");
    assert_eq!(exit_code_of(&error), 2);

    let server = FakeServer::start(|number, _| match number {
        0 => broken_stream("event: state\nid: c:1\ndata: []\n\n"),
        1 => Reply::Text(404, String::new()),
        2 => Reply::Text(400, "that id is none\n".to_owned()),
        _ => broken_stream("event: reset\nid: c:2\ndata: []\n\n"),
    });
    let timeouts = Timeouts {
        pause: Duration::from_millis(5),
        ..Timeouts::default()
    };
    let mut ever = events(&[&server], Resume::AfterLast, timeouts);
    assert_eq!(next(&mut ever).await, is("state", "c:1", "[]"));
    assert_eq!(next(&mut ever).await, is("reset", "c:2", "[]"));
    assert_eq!(last_event_id(&server, 2).as_deref(), Some("c:1"));
    assert_eq!(last_event_id(&server, 3), None, "the id that was refused");
}
