//! Tests of HTTP/2 by prior knowledge, on the port of HTTP/1.

use super::held::{announce, followed, get};
use super::server::{TestServer, ask};
use crate::http::HttpSettings;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tokio::task::JoinHandle;

const LOOKUP: &str = "/v1/service/presto/general";

/// Time limit for each response in the tests, far above the time that any response takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// An HTTP/2 connection.
pub(super) struct Http2 {
    requests: SendRequest<Empty<Bytes>>,
    connection: JoinHandle<()>,
}

impl Http2 {
    pub(super) async fn connect(server: &TestServer) -> Http2 {
        let io = TokioIo::new(server.connect().await);
        let (requests, connection) = handshake(TokioExecutor::new(), io).await.expect("HTTP/2");
        let connection = async { drop(connection.await) };
        Http2 {
            requests,
            connection: tokio::spawn(connection),
        }
    }

    /// Returns the status of a GET.
    pub(super) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.ask(path, headers).await.status().as_u16()
    }

    pub(super) async fn ask(&mut self, path: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
        self.requests.ready().await.expect("an open connection");
        let mut request = Request::get(format!("http://h{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).expect("a request");
        let answered = self.requests.send_request(request);
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        answered.expect("in time").expect("an answer")
    }

    /// Waits until the server has closed the connection.
    async fn ended(self) {
        let ended = tokio::time::timeout(PATIENCE, self.connection).await;
        ended.expect("in time").expect("no panic");
    }
}

/// One port accepts both HTTP versions. Several lookups are held on one HTTP/2 connection. One
/// change answers these lookups, and a lookup that is held on HTTP/1.
#[tokio::test]
async fn lookups_are_held_on_both() {
    let server = TestServer::start().await;
    let mut http2 = Http2::connect(&server).await;
    let first = http2.ask(LOOKUP, &[]).await;
    let tag = first.headers()["etag"].to_str().expect("text").to_owned();
    let mut http1 = server.connect().await;
    let mut again = http2.requests.clone();
    let held = async |requests: &mut SendRequest<Empty<Bytes>>| {
        let request = Request::get(format!("http://h{LOOKUP}")).header("ETag", &tag);
        let request = request.body(Empty::new()).expect("a request");
        let answered = requests.send_request(request).await.expect("an answer");
        let status = answered.status().as_u16();
        (
            status,
            answered
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes(),
        )
    };
    let of_http1 = get(LOOKUP, &format!("ETag: {tag}\r\n"));
    let change = async {
        followed(&server, 3).await;
        announce(&server, "w1", "presto", "http://w1:1");
    };
    let (one, two, three, ()) = tokio::join!(
        held(&mut http2.requests),
        held(&mut again),
        ask(&mut http1, of_http1),
        change
    );
    assert_eq!((one.0, two.0, three.status), (200, 200, 200));
    assert_eq!((&one.1[..], &two.1[..]), (&three.body[..], &three.body[..]));
    assert!(one.1.windows(4).any(|four| four == b"w1:1"));
}

/// An HTTP/2 connection without a request in progress is idle, even if it sends PINGs, and is
/// closed to make room for others. A connection with a request in progress stays.
#[tokio::test]
async fn an_idle_connection_makes_room() {
    let server = TestServer::with(HttpSettings {
        max_connections: 4,
        ..HttpSettings::new("test")
    })
    .await;
    // Three of the four permits are for clients, and one is reserved for peers.
    let mut idle = Http2::connect(&server).await;
    assert_eq!(idle.get(LOOKUP, &[]).await, 200);
    let mut waits = Http2::connect(&server).await;
    let waiting = waits.ask("/v1/service/none?index=0&wait=10s", &[]);
    let mut streams = Http2::connect(&server).await;
    let stream = streams.ask("/v1/watch/presto", &[]).await;
    let comes = async {
        let mut new = server.connect().await;
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        // The lookup is repeated until the idle connection has been idle for long enough to be
        // closed.
        while ask(&mut new, get(LOOKUP, "")).await.status != 200 {
            pace.tick().await;
            new = server.connect().await;
        }
        idle.ended().await;
        announce(&server, "w1", "none", "http://w1:1");
    };
    let (waited, ()) = tokio::join!(waiting, comes);
    assert_eq!(waited.status(), 200);
    assert_eq!(stream.status(), 200);
    assert!(!streams.connection.is_finished());
}
