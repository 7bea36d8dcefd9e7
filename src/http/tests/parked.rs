//! Tests of parking: connections that are idle between two requests.

use super::server::{TestServer, answer, ask, closed};
use crate::clock::now;
use crate::http::HttpSettings;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const GET: &str = "GET /v1/service HTTP/1.1\r\nHost: h\r\n\r\n";
const BODY: &str = r#"{"environment":"test","pool":"p","services":[]}"#;

/// Time after which a connection is parked, well below the 1 s for which the body of a rejected
/// request is discarded.
const PARKED_AFTER: Duration = Duration::from_millis(200);

async fn start() -> TestServer {
    let settings = HttpSettings {
        parked_after: PARKED_AFTER,
        ..HttpSettings::new("test")
    };
    TestServer::with(settings).await
}

/// Waits long enough for a silent connection to be parked.
async fn silence() {
    silence_of(2 * PARKED_AFTER).await;
}

async fn silence_of(time: Duration) {
    let until = now() + time;
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    while now() < until {
        pace.tick().await;
    }
}

async fn send(stream: &mut TcpStream, bytes: &str) {
    let sent = stream.write_all(bytes.as_bytes()).await;
    sent.expect("the server reads");
}

/// A parked connection serves its next request, and also two requests that arrive together.
#[tokio::test]
async fn a_connection_is_served_again_after_a_silence() {
    let server = start().await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        assert_eq!(ask(&mut stream, GET).await.status, 200);
        silence().await;
    }
    send(&mut stream, &[GET, GET].concat()).await;
    assert_eq!(answer(&mut stream).await.status, 200);
    assert_eq!(answer(&mut stream).await.status, 200);
}

/// A connection keeps the beginning of a request that arrived together with the previous request,
/// even if the rest arrives after a silence.
#[tokio::test]
async fn the_beginning_of_a_request_is_kept_over_a_silence() {
    let server = start().await;
    let mut stream = server.connect().await;
    let (begin, rest) = GET.split_at(10);
    assert_eq!(ask(&mut stream, [GET, begin].concat()).await.status, 200);
    silence().await;
    assert_eq!(ask(&mut stream, rest).await.status, 200);
    // If the rest never arrives, the connection is closed as for any other incomplete request.
    send(&mut stream, begin).await;
    assert!(closed(&mut stream).await);
}

/// An empty line after a request does not begin another request, to which the time limit of a head
/// would apply.
#[tokio::test]
async fn an_empty_line_is_no_request() {
    let server = start().await;
    let mut stream = server.connect().await;
    let with_line = [GET, "\r\n"].concat();
    assert_eq!(ask(&mut stream, with_line).await.status, 200);
    silence_of(Duration::from_secs(9)).await;
    assert_eq!(ask(&mut stream, GET).await.status, 200);
}

/// A request is served even if the client pauses in the middle of the body, for longer than the
/// time after which an idle connection is parked.
#[tokio::test]
async fn a_body_may_pause() {
    let server = start().await;
    let mut stream = server.connect().await;
    assert_eq!(ask(&mut stream, GET).await.status, 200);
    let head = format!(
        "PUT /v1/announcement/n HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        BODY.len()
    );
    let (begin, rest) = BODY.split_at(10);
    send(&mut stream, &[&head, begin].concat()).await;
    silence().await;
    assert_eq!(ask(&mut stream, rest).await.status, 202);
}

/// The bytes after the head of a rejected request are its body, and are never taken for another
/// request.
#[tokio::test]
async fn the_body_of_a_refused_request_is_none() {
    let server = start().await;
    for expects in ["", "Expect: 100-continue\r\n"] {
        let mut stream = server.connect().await;
        let head = format!(
            "POST /v1/service HTTP/1.1\r\nHost: h\r\n{expects}Content-Length: 1000\r\n\r\n"
        );
        assert_eq!(ask(&mut stream, head).await.status, 405);
        silence().await;
        // The connection may already be closed.
        let _ = stream.write_all(GET.as_bytes()).await;
        assert!(closed(&mut stream).await, "{expects}");
    }
}

/// A server that stops does not wait for silent connections.
#[tokio::test]
async fn silent_connections_end_with_the_server() {
    let server = start().await;
    let mut stream = server.connect().await;
    assert_eq!(ask(&mut stream, GET).await.status, 200);
    silence().await;
    let began = now();
    server.stop().await;
    assert!(now().duration_since(began) < Duration::from_secs(1));
    assert!(closed(&mut stream).await);
}

/// When all permits are taken, the connection that has been parked longest is closed, and
/// connections that are not parked stay.
#[tokio::test]
async fn the_longest_parked_makes_room() {
    let settings = HttpSettings {
        parked_after: PARKED_AFTER,
        max_connections: 8,
        ..HttpSettings::new("test")
    };
    let server = TestServer::with(settings).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = server.connect().await;
        assert_eq!(ask(&mut client, GET).await.status, 200);
        clients.push(client);
    }
    silence().await;
    // The request makes the first client the last one to be parked.
    assert_eq!(ask(&mut clients[0], GET).await.status, 200);
    silence().await;
    let mut others = Vec::new();
    for longest in &mut clients[1..] {
        let mut other = server.connect().await;
        assert_eq!(ask(&mut other, GET).await.status, 200);
        assert!(closed(longest).await);
        others.push(other);
    }
    assert_eq!(ask(&mut clients[0], GET).await.status, 200);
    for other in &mut others {
        assert_eq!(ask(other, GET).await.status, 200);
    }
}
