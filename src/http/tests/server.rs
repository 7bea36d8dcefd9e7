//! A server on a free port, and requests to it as raw bytes.

use super::replay::{Answer, parse};
use crate::clock::{PauseDetector, now};
use crate::http::fake_backend::{FakeBackend, Mode};
use crate::http::{HttpListener, HttpRecord, HttpSettings, serve};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, Method};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Time limit for each response in the tests, far above the time that any response takes.
const PATIENCE: Duration = Duration::from_secs(10);

const BODY: &str = r#"{"environment":"test","pool":"p","services":[]}"#;

/// An HTTP server on a free port, in front of a [`FakeBackend`].
pub(super) struct TestServer {
    pub(super) address: SocketAddr,
    pub(super) backend: FakeBackend,
    pause_detector: PauseDetector,
    settings: HttpSettings,
    records: Arc<Mutex<Vec<HttpRecord>>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl TestServer {
    pub(super) async fn start() -> TestServer {
        TestServer::with(HttpSettings::new("test")).await
    }

    pub(super) async fn with(settings: HttpSettings) -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (backend, pause_detector) = (FakeBackend::new(), PauseDetector::start());
        let (stop, stopped) = oneshot::channel();
        let records = Arc::new(Mutex::new(Vec::new()));
        let log = records.clone();
        let access_log = move |record| log.lock().expect("no panic").push(record);
        let shutdown = async move {
            let _ = stopped.await;
        };
        let serving = serve(
            vec![HttpListener::plain(listener)],
            backend.clone(),
            settings.clone(),
            pause_detector.clone(),
            Some(Arc::new(access_log)),
            shutdown,
        );
        let task = tokio::spawn(serving);
        TestServer {
            address,
            backend,
            pause_detector,
            settings,
            records,
            stop,
            task,
        }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address)
            .await
            .expect("the server listens")
    }

    /// Marks the server as about to stop.
    pub(super) fn leave(&self) {
        self.settings.leaving.store(true, Ordering::Relaxed);
    }

    /// Stops the server, and waits for its end.
    pub(super) async fn stop(self) {
        drop(self.stop);
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("it ends in time").expect("it does not panic");
    }

    pub(super) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        ask(&mut self.connect().await, request).await
    }

    fn records(&self) -> Vec<HttpRecord> {
        self.records.lock().expect("no panic").clone()
    }
}

/// Sends a request and reads one response of known length.
pub(super) async fn ask(stream: &mut TcpStream, request: impl AsRef<[u8]>) -> Answer {
    stream
        .write_all(request.as_ref())
        .await
        .expect("the server reads");
    answer(stream).await
}

pub(super) async fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(byte(stream).await.expect("a whole head"));
    }
    let length = parse(&bytes)
        .headers
        .get("content-length")
        .map_or(0, |length| length.parse().expect("a number"));
    for _ in 0..length {
        bytes.push(byte(stream).await.expect("a whole body"));
    }
    parse(&bytes)
}

pub(super) async fn byte(stream: &mut TcpStream) -> Option<u8> {
    tokio::time::timeout(PATIENCE, stream.read_u8())
        .await
        .expect("an answer in time")
        .ok()
}

/// Whether the server closes the connection without sending anything more.
pub(super) async fn closed(stream: &mut TcpStream) -> bool {
    byte(stream).await.is_none()
}

fn put(body: impl AsRef<[u8]>, headers: &str) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!(
        "PUT /v1/announcement/n HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

const GET: &str = "GET /v1/service HTTP/1.1\r\nHost: h\r\n\r\n";
const GET_READY: &str = "GET /v1/cluster/ready HTTP/1.1\r\nHost: h\r\n\r\n";

/// The response to a failed write states whether the write may have been applied. The response to a
/// failed read does not. Both have one line of text.
#[tokio::test]
async fn failures_of_the_cluster_are_503() {
    let server = TestServer::start().await;
    for (mode, applied) in [(Mode::No, "no"), (Mode::Unknown, "unknown")] {
        server.backend.set(mode);
        for request in [
            put(BODY, ""),
            b"DELETE /v1/announcement/n HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
            b"DELETE /v1/announcement/static/x HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        ] {
            let refused = server.ask(request).await;
            assert_eq!(
                (refused.status, refused.headers["quorate-applied"].as_str()),
                (503, applied)
            );
            assert_eq!(refused.headers["retry-after"], "1");
        }
        let refused = server.ask(GET).await;
        assert_eq!(
            (refused.status, refused.body.as_slice()),
            (503, b"no quorum\n".as_slice())
        );
        assert!(!refused.headers.contains_key("quorate-applied"));
        assert_eq!(server.ask(GET_READY).await.status, 503);
        let stale = server
            .ask("GET /v1/service?consistency=stale HTTP/1.1\r\nHost: h\r\n\r\n")
            .await;
        assert_eq!(
            (stale.status, stale.headers["quorate-consistency"].as_str()),
            (200, "stale")
        );
    }
}

/// Requests are answered within 2 s even if the cluster does not respond. In this case, a read
/// fails, and the outcome of a write is unknown.
#[tokio::test]
async fn a_silent_cluster_is_answered_for_within_two_seconds() {
    let server = TestServer::start().await;
    server.backend.set(Mode::Silent);
    let began = now();
    let (read, write) = tokio::join!(server.ask(GET), server.ask(put(BODY, "")));
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert_eq!((read.status, write.status), (503, 503));
    assert_eq!(write.headers["quorate-applied"], "unknown");
}

/// A request on a connection that was opened before the process was suspended is rejected and not
/// proposed, and the connection is closed. This includes a connection that waited in the backlog
/// during the suspension.
#[tokio::test]
async fn nothing_old_is_proposed_after_a_wake() {
    let server = TestServer::start().await;
    let mut kept = server.connect().await;
    assert_eq!(ask(&mut kept, put(BODY, "")).await.status, 202);
    let applied = server.backend.applied();

    // The runtime has one thread, on which nothing else runs until the next await, as in a
    // suspended process.
    assert_eq!(
        kept.try_write(&put(BODY, "")).expect("the kernel takes it"),
        put(BODY, "").len()
    );
    let mut waiting = connect_while_stopped(server.address, &put(BODY, ""));
    let mut silent = connect_while_stopped(server.address, b"");
    server
        .pause_detector
        .pretend_stopped(Duration::from_secs(60));

    for stream in [&mut kept, &mut waiting] {
        let refused = answer(stream).await;
        assert_eq!(
            (refused.status, refused.headers["quorate-applied"].as_str()),
            (503, "no")
        );
        assert!(closed(stream).await);
    }
    assert!(
        closed(&mut silent).await,
        "opened before the resume, and closed by it"
    );
    assert_eq!(server.backend.applied(), applied, "nothing was proposed");
    assert_eq!(server.pause_detector.epoch(), 1);

    assert_eq!(
        server.ask(put(BODY, "")).await.status,
        202,
        "a connection opened after the resume is served"
    );
}

/// Connects and sends bytes without yielding, so that the server does not run in the meantime.
fn connect_while_stopped(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = std::net::TcpStream::connect(address).expect("the kernel takes it");
    stream.write_all(bytes).expect("the kernel takes it");
    stream.set_nonblocking(true).expect("a socket");
    TcpStream::from_std(stream).expect("a socket")
}

/// Bodies over the limit are rejected, with or without a `Content-Length`. So are smaller gzip
/// bodies whose decompressed size is over the limit.
#[tokio::test]
async fn large_bodies_are_refused() {
    let server = TestServer::start().await;
    let large = vec![b' '; server.settings.max_announcement_bytes + 1];
    assert_eq!(server.ask(put(&large, "")).await.status, 413);
    assert_eq!(
        server
            .ask(put(gzip(&large), "Content-Encoding: gzip\r\n"))
            .await
            .status,
        413
    );
    assert_eq!(server.ask(put(vec![b' '; 8 << 20], "")).await.status, 413);

    let mut chunked =
        b"PUT /v1/announcement/n HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    for chunk in large.chunks(64 << 10) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let refused = server.ask(chunked).await;
    assert_eq!(refused.status, 413);
    assert_eq!(refused.headers["connection"], "close");

    let small = gzip(BODY.as_bytes());
    assert_eq!(
        server
            .ask(put(small, "Content-Encoding: gzip\r\n"))
            .await
            .status,
        202
    );
}

/// A client that sends a large body to a wrong path sees the error response, and not a reset.
#[tokio::test]
async fn a_refusal_is_seen_by_who_is_still_sending() {
    let server = TestServer::start().await;
    let body = vec![b' '; 8 << 20];
    for (head, status) in [
        ("PUT /v1/nothing HTTP/1.1", 404),
        ("POST /v1/service HTTP/1.1", 405),
        ("PUT /v1/announcement/n HTTP/1.1", 415),
    ] {
        let request = format!(
            "{head}\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        assert_eq!(
            server
                .ask([request.as_bytes(), &body].concat())
                .await
                .status,
            status
        );
    }
}

/// A client that waits for 100-continue gets it, and no 100 comes before an error response.
#[tokio::test]
async fn expect_continue() {
    let server = TestServer::start().await;
    let mut stream = server.connect().await;
    let request = put(BODY, "Expect: 100-continue\r\n");
    let (head, body) = request.split_at(request.len() - BODY.len());
    assert_eq!(ask(&mut stream, head).await.status, 100);
    assert_eq!(ask(&mut stream, body).await.status, 202);

    let head = "PUT /v1/announcement/n HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
        Content-Length: 2000000\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(server.ask(head).await.status, 413);
}

/// The server waits for more bytes after a prefix that fits both HTTP versions: `P` begins `PUT`
/// and also HTTP/2's preface.
#[tokio::test]
async fn a_beginning_that_comes_in_pieces_is_understood() {
    let server = TestServer::start().await;
    let request = put(BODY, "");
    let mut slow = server.connect().await;
    slow.write_all(&request[..1]).await.expect("it reads");
    // The server sees the prefix alone, since it serves another connection before the rest.
    assert_eq!(server.ask(GET).await.status, 200);
    assert_eq!(ask(&mut slow, &request[1..]).await.status, 202);

    let mut http2 = server.connect().await;
    http2.write_all(b"PRI * HT").await.expect("it reads");
    assert_eq!(server.ask(GET).await.status, 200);
    http2
        .write_all(b"TP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .expect("it reads");
    // The server answers with a SETTINGS frame: 3 bytes of length, and type 4.
    let mut frame = [0; 4];
    for position in &mut frame {
        *position = byte(&mut http2).await.expect("a frame");
    }
    assert_eq!(frame[3], 4, "{frame:?}");
}

/// HTTP/1.0 closes the connection, and HTTP/1.1 keeps it. Requests may be pipelined. A client that
/// half-closes gets its response.
#[tokio::test]
async fn connections_live_as_http_says() {
    let server = TestServer::start().await;
    let mut old = server.connect().await;
    let answered = ask(&mut old, "GET /v1/service HTTP/1.0\r\n\r\n").await;
    assert_eq!(answered.status, 200);
    assert!(closed(&mut old).await);

    let mut ahead = server.connect().await;
    ahead
        .write_all(
            [put(BODY, ""), GET.into(), put(BODY, "")]
                .concat()
                .as_slice(),
        )
        .await
        .expect("the server reads");
    for status in [202, 200, 202] {
        assert_eq!(answer(&mut ahead).await.status, status);
    }
    ahead
        .write_all(GET.as_bytes())
        .await
        .expect("the server reads");
    ahead.shutdown().await.expect("half a close");
    assert_eq!(answer(&mut ahead).await.status, 200);
    assert!(closed(&mut ahead).await);
}

/// The response to an acknowledged change has no body. The response to a lookup has the headers
/// that browsers and caches need.
#[tokio::test]
async fn json_is_not_sniffed() {
    let server = TestServer::start().await;
    let accepted = server.ask(put(BODY, "")).await;
    assert_eq!(
        (accepted.status, accepted.headers["content-length"].as_str()),
        (202, "0")
    );
    assert_eq!(accepted.headers["quorate-index"], "1");
    let gone = server
        .ask("DELETE /v1/announcement/n HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    assert_eq!(gone.status, 204);
    assert!(!gone.headers.contains_key("content-length"), "RFC 9110 8.6");
    let found = server.ask(GET).await;
    assert_eq!(found.headers["x-content-type-options"], "nosniff");
    assert_eq!(found.headers["vary"], "Accept-Encoding");
    assert_eq!(found.headers["quorate-index"], "2");
}

/// The response to HEAD has the headers of GET and no body. The next response on the connection
/// follows immediately.
#[tokio::test]
async fn head_has_no_body() {
    let server = TestServer::start().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"HEAD /v1/service HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .expect("the server reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(byte(&mut stream).await.expect("a whole head"));
    }
    let length = parse(&head).headers["content-length"].clone();
    assert_eq!(
        length,
        ask(&mut stream, GET).await.headers["content-length"]
    );
}

/// A connection to the path for peers is upgraded and passed on with its `PauseDetector` epoch, and
/// carries every byte in both directions.
#[tokio::test]
async fn a_peer_is_handed_the_connection() {
    let server = TestServer::start().await;
    let mut peer = server.connect().await;
    let upgrade = "GET /v1/cluster/peer HTTP/1.1\r\nHost: h\r\n\
        Connection: Upgrade\r\nUpgrade: quorate-peer/1\r\n\r\n";
    let switched = ask(&mut peer, upgrade).await;
    assert_eq!(
        (switched.status, switched.headers["upgrade"].as_str()),
        (101, "quorate-peer/1")
    );
    assert_eq!(peer.read_u64().await.expect("the epoch"), 0);
    peer.write_all(b"both ways").await.expect("the peer reads");
    let mut back = [0; 9];
    peer.read_exact(&mut back).await.expect("the peer answers");
    assert_eq!(&back, b"both ways");
}

/// When all permits for clients are taken, clients are rejected with a reason, while the permits of
/// the members stay free.
#[tokio::test]
async fn the_last_places_serve_peers_only() {
    let settings = HttpSettings {
        max_connections: 4,
        ..HttpSettings::new("test")
    };
    let server = TestServer::with(settings).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        assert_eq!(ask(&mut client, GET).await.status, 200);
        clients.push(client);
    }
    let mut fourth = server.connect().await;
    let refused = ask(&mut fourth, put(BODY, "")).await;
    assert_eq!(
        (refused.status, refused.headers["quorate-applied"].as_str()),
        (503, "no")
    );
    assert!(closed(&mut fourth).await);

    let mut member = server.connect().await;
    assert_eq!(ask(&mut member, GET_READY).await.status, 200);
    let mut fifth = server.connect().await;
    assert_eq!(answer(&mut fifth).await.status, 503, "without having asked");
}

/// A server that is about to stop reports that it is not ready. Then it closes idle connections,
/// finishes the requests in flight, and returns.
#[tokio::test]
async fn stopping_finishes_what_is_in_flight() {
    let server = TestServer::start().await;
    server.leave();
    assert_eq!(server.ask(GET_READY).await.status, 503);

    let mut idle = server.connect().await;
    assert_eq!(ask(&mut idle, GET).await.status, 200);
    let mut silent = server.connect().await;
    server.backend.set(Mode::Silent);
    let mut busy = server.connect().await;
    busy.write_all(put(BODY, "").as_slice())
        .await
        .expect("the server reads");
    server.backend.asked().await;

    server.stop.send(()).expect("it runs");
    assert!(closed(&mut idle).await && closed(&mut silent).await);
    let answered = answer(&mut busy).await;
    assert_eq!(
        (answered.status, answered.headers["connection"].as_str()),
        (503, "close")
    );
    tokio::time::timeout(PATIENCE, server.task)
        .await
        .expect("it returns")
        .expect("without a panic");
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "nobody listens any more"
    );
}

/// The access log receives a record of each request, with all fields of a log line.
#[tokio::test]
async fn requests_are_logged() {
    let server = TestServer::start().await;
    server.ask(put(BODY, "User-Agent: node-1\r\n")).await;
    let found = server.ask(GET).await;
    let records = server.records();
    let line = |record: &HttpRecord| {
        (
            record.method.clone(),
            record.uri.path().to_owned(),
            record.status,
        )
    };
    assert_eq!(
        line(&records[0]),
        (Method::PUT, "/v1/announcement/n".to_owned(), 202)
    );
    assert_eq!(
        records[0].user_agent,
        Some(HeaderValue::from_static("node-1"))
    );
    assert_eq!(records[0].request_bytes, BODY.len() as u64);
    assert_eq!(
        line(&records[1]),
        (Method::GET, "/v1/service".to_owned(), 200)
    );
    assert_eq!(records[1].response_bytes, found.body.len() as u64);
}

/// HTTP/2 without an upgrade is accepted too, with several concurrent requests.
#[tokio::test]
async fn http2_with_prior_knowledge() {
    let server = TestServer::start().await;
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    let mut ask = |path: &str| {
        let request = http::Request::get(format!("http://h{path}"))
            .body(Empty::<Bytes>::new())
            .expect("a request");
        client.send_request(request)
    };
    let (found, missing) = tokio::join!(ask("/v1/service"), ask("//v1/nothing/"));
    assert_eq!(found.expect("an answer").status(), 200);
    assert_eq!(missing.expect("an answer").status(), 404);
}

/// A malformed or too large head is rejected with a line of text. The server continues to serve.
#[tokio::test]
async fn nonsense_is_refused() {
    let server = TestServer::start().await;
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(200));
    let huge = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(65_535));
    for (request, status) in [
        ("NONSENSE\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (
            "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
        ),
        (&many, 431),
        (&huge, 431),
        (&long, 414),
    ] {
        let refused = server.ask(request).await;
        assert_eq!(refused.status, status, "{refused:?}");
        assert_eq!(refused.headers["content-type"], "text/plain; charset=utf-8");
        assert!(refused.body.ends_with(b"\n"), "{refused:?}");
    }
    assert_eq!(server.ask(GET).await.status, 200);
}
