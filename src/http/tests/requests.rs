//! Tests of the checks on every request: its host, the size of its head, and the budget for its
//! body.

use super::held::{announce, get};
use super::http2::Http2;
use super::server::{TestServer, answer, ask};
use crate::http::HttpSettings;
use crate::http::fake_backend::Mode;
use futures_util::future::select_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BODY_BYTES: usize = 100_000;

/// All forms of a balancer's health check get the same response. Only OPTIONS may have the server
/// itself (`*`) as its target.
#[tokio::test]
async fn ready_is_answered_to_every_check() {
    let leaving = TestServer::start().await;
    leaving.leave();
    for (server, status) in [(TestServer::start().await, 200), (leaving, 503)] {
        for method in ["GET", "OPTIONS"] {
            for version in ["HTTP/1.1\r\nHost: h", "HTTP/1.0"] {
                let request = format!("{method} /v1/cluster/ready {version}\r\n\r\n");
                let answered = server.ask(request).await;
                assert_eq!(answered.status, status, "{method} {version}");
                let body = String::from_utf8(answered.body).expect("text");
                assert!(body.contains(if status == 200 { "ready" } else { "stopping" }));
            }
        }
    }
    let server = TestServer::start().await;
    for (request, status) in [
        ("OPTIONS * HTTP/1.1", 200),
        ("GET * HTTP/1.1", 400),
        ("POST /v1/cluster/ready HTTP/1.1", 405),
        ("OPTIONS /v1/cluster/status HTTP/1.1", 200),
        ("OPTIONS / HTTP/1.1", 200),
        ("GET /* HTTP/1.1", 404),
    ] {
        let answered = server.ask(format!("{request}\r\nHost: h\r\n\r\n")).await;
        assert_eq!(answered.status, status, "{request}");
    }
}

/// Every JSON response says that its type is not to be guessed. `json_is_not_sniffed` looks at
/// lookups.
#[tokio::test]
async fn all_json_is_marked() {
    let server = TestServer::start().await;
    announce(&server, "c", "trino-coordinator", "http://c:1");
    for path in [
        "/v1/cluster/status",
        "/v1/coordinator",
        "/v1/service-inventory",
        "/v1/announcement/static",
        "/v1/targets/trino-coordinator",
    ] {
        let answered = server.ask(get(path, "Accept: application/json\r\n")).await;
        assert_eq!(answered.status, 200, "{path}");
        assert_eq!(answered.headers["content-type"], "application/json");
        assert_eq!(
            answered.headers["x-content-type-options"], "nosniff",
            "{path}"
        );
    }
}

/// A static service has the limits of an announcement.
#[tokio::test]
async fn the_location_of_a_static_service_has_a_limit() {
    let server = TestServer::start().await;
    for (bytes, status) in [(1_024, 201), (1_025, 400)] {
        let body = format!(
            r#"{{"environment":"test","type":"t","pool":"p","location":"{}","properties":{{}}}}"#,
            "l".repeat(bytes)
        );
        let post = format!(
            "POST /v1/announcement/static HTTP/1.1\r\nHost: h\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(server.ask(post).await.status, status, "{bytes}");
    }
}

/// Without a quorum, the targets for Prometheus are not an empty list, which would mean that no
/// engine is left.
#[tokio::test]
async fn no_quorum_is_not_no_targets() {
    let server = TestServer::start().await;
    let none = server.ask(get("/v1/targets/trino", "")).await;
    assert_eq!((none.status, &*none.body), (200, &b"[]"[..]));
    server.backend.set(Mode::No);
    let lost = server.ask(get("/v1/targets/trino", "")).await;
    assert_eq!(lost.status, 503);
}

/// Only GET can be upgraded: the response to HEAD has no content, and could not switch protocols.
#[tokio::test]
async fn head_is_not_upgraded() {
    let server = TestServer::start().await;
    let upgrade = "/v1/cluster/peer HTTP/1.1\r\nHost: h\r\n\
        Connection: Upgrade\r\nUpgrade: quorate-peer/1\r\n\r\n";
    for (method, status) in [("GET", 101), ("HEAD", 426)] {
        let mut stream = server.connect().await;
        let asked = format!("{method} {upgrade}");
        stream.write_all(asked.as_bytes()).await.expect("it reads");
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.expect("a response");
        assert_eq!(head, format!("HTTP/1.1 {status}").as_bytes(), "{method}");
    }
}

/// A request that names its host twice, not at all, or incorrectly is rejected before anything is
/// done.
#[tokio::test]
async fn a_request_without_one_host_is_refused() {
    let server = TestServer::start().await;
    let put = "PUT /v1/announcement/n HTTP/1.1\r\n\
        Content-Type: application/json\r\nContent-Length: 47\r\n";
    let body = r#"{"environment":"test","pool":"p","services":[]}"#;
    for hosts in [
        "",
        "Host: h\r\nHost: h\r\n",
        "Host: h\r\nhost: other\r\n",
        "Host: h, other\r\n",
        "Host: u@h\r\n",
        "Host: h/x\r\n",
    ] {
        let refused = server.ask(format!("{put}{hosts}\r\n{body}")).await;
        assert_eq!(refused.status, 400, "{hosts}");
        assert!(!refused.body.is_empty(), "{hosts}");
    }
    assert_eq!(server.backend.applied(), 0);
    for host in ["h", "H:8411", "[::1]:8411", ""] {
        let taken = server.ask(format!("{put}Host: {host}\r\n\r\n{body}")).await;
        assert_eq!(taken.status, 202, "{host}");
    }
    let mut http2 = Http2::connect(&server).await;
    assert_eq!(http2.get("/v1/service", &[("host", "other")]).await, 400);
    assert_eq!(http2.get("/v1/service", &[("host", "h")]).await, 200);
}

/// The head of a request may have 64 kB on paths that redirect to the coordinator, and 8 kB on
/// other paths. HTTP/2 has the same limits. A configured limit applies to all paths.
#[tokio::test]
async fn the_head_of_a_request_has_a_limit() {
    let mut set = HttpSettings::new("test");
    set.set_max_header_bytes(16 << 10);
    let mut off = HttpSettings::new("test");
    off.coordinator_redirect = false;
    for (settings, elsewhere, led) in [
        (HttpSettings::new("test"), 8 << 10, Some(64 << 10)),
        (set, 16 << 10, Some(16 << 10)),
        (off, 8 << 10, None),
    ] {
        let server = TestServer::with(settings).await;
        announce(&server, "c1", "trino-coordinator", "http://c1:1");
        for (path, limit) in [
            ("/v1/service", Some(elsewhere)),
            ("/v1/cluster/ready", Some(elsewhere)),
            ("/v1/info", led),
            ("/ui/x", led),
            ("//v1/info/", led),
        ] {
            let Some(limit) = limit else { continue };
            let status = if path.contains("service") || path.contains("ready") {
                200
            } else {
                307
            };
            for (bytes, status) in [(limit - 64, status), (limit + 1, 431)] {
                let value = "x".repeat(bytes);
                let request = get(path, &format!("X-Trino-Prepared-Statement: {value}\r\n"));
                let answered = server.ask(request).await;
                assert_eq!(answered.status, status, "{path} {bytes}");
                let mut http2 = Http2::connect(&server).await;
                let header = ("x-trino-prepared-statement", value.as_str());
                assert_eq!(http2.get(path, &[header]).await, status, "{path} {bytes}");
            }
        }
        let long = server.ask(get(&format!("/v1/service/{}", "x".repeat(elsewhere)), ""));
        assert_eq!(long.await.status, 414);
        let mut http2 = Http2::connect(&server).await;
        let huge = "x".repeat(150_000);
        assert_eq!(http2.get("/v1/info", &[("x", &huge)]).await, 431);
    }
}

/// Sends a PUT with a `Content-Length` of `BODY_BYTES`, and only `sent_bytes` of its body.
async fn put_of(server: &TestServer, nth: usize, sent_bytes: usize) -> TcpStream {
    let mut stream = server.connect().await;
    let head = format!(
        "PUT /v1/announcement/n{nth} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {BODY_BYTES}\r\n\r\n"
    );
    let body = vec![b' '; sent_bytes];
    let request = [head.as_bytes(), &body].concat();
    stream.write_all(&request).await.expect("the server reads");
    stream
}

/// Bodies that are being read share a budget. A write whose body exceeds the budget is rejected as
/// not applied. Large bodies may use only a part of the budget, so they are rejected earlier than
/// small ones. A `Content-Length` alone uses nothing. Dropped bodies free their share.
#[tokio::test]
async fn bodies_share_their_room() {
    let server = TestServer::with(HttpSettings {
        max_announcement_bytes: BODY_BYTES,
        // The minimum budget is 8 maximum-size bodies, and large bodies may take 3/4 of the budget.
        max_pending_body_bytes: 0,
        ..HttpSettings::new("test")
    })
    .await;
    let mut promised = Vec::new();
    for nth in 0..50 {
        promised.push(put_of(&server, nth, 0).await);
    }
    let small = r#"{"environment":"test","pool":"p","services":[]}"#;
    let put_small = format!(
        "PUT /v1/announcement/small HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{small}",
        small.len()
    );
    assert_eq!(server.ask(&put_small).await.status, 202);
    let mut under_way = Vec::new();
    for nth in 0..7 {
        under_way.push(put_of(&server, nth, BODY_BYTES - 1).await);
    }
    // Only the body that is read last exceeds the budget.
    let answers = under_way.iter_mut().map(|stream| Box::pin(answer(stream)));
    let (refused, nth, others) = select_all(answers).await;
    assert_eq!(
        (refused.status, refused.headers["quorate-applied"].as_str()),
        (503, "no")
    );
    assert_eq!(server.ask(&put_small).await.status, 202, "small ones may");
    // The remaining bodies are read to their end, and are not valid announcements.
    drop(others);
    under_way.remove(nth);
    for stream in &mut under_way {
        assert_eq!(ask(stream, " ").await.status, 400);
    }
    let mut large = put_of(&server, 8, BODY_BYTES).await;
    assert_eq!(answer(&mut large).await.status, 400);
    drop(promised);
}

/// A head over the limit is rejected even if it arrives so fast that hyper reads all of it before
/// it looks at the size.
#[tokio::test]
async fn a_fast_head_over_the_limit_is_refused() {
    let server = TestServer::start().await;
    for bytes in (128 * 1024..512 * 1024).step_by(8 * 1024) {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
            "x".repeat(bytes)
        );
        let refused = server.ask(head).await;
        assert_eq!(refused.status, 431, "{bytes} bytes");
        assert_eq!(refused.headers["connection"], "close", "{bytes} bytes");
    }
}
