//! What every request passes: its host, the size of its head, and the room for its body.

use super::held::{announce, get};
use super::http2::Http2;
use super::server::{Server, answer, ask};
use crate::http::HttpSettings;
use futures_util::future::select_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const BODY_BYTES: usize = 100_000;

/// Whatever a balancer checks with is answered alike; the server itself is asked with OPTIONS
/// alone.
#[tokio::test]
async fn ready_is_answered_to_every_check() {
    let leaving = Server::start().await;
    leaving.leave();
    for (server, status) in [(Server::start().await, 200), (leaving, 503)] {
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
    let server = Server::start().await;
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

/// A request that names its host twice, or not at all, or names what is no host, is refused before
/// anything is done.
#[tokio::test]
async fn a_request_without_one_host_is_refused() {
    let server = Server::start().await;
    let put = "PUT /v1/announcement/n HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 47\r\n";
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
    assert_eq!(server.lone.applied(), 0);
    for host in ["h", "H:8411", "[::1]:8411", ""] {
        let taken = server.ask(format!("{put}Host: {host}\r\n\r\n{body}")).await;
        assert_eq!(taken.status, 202, "{host}");
    }
    let mut http2 = Http2::connect(&server).await;
    assert_eq!(http2.get("/v1/service", &[("host", "other")]).await, 400);
    assert_eq!(http2.get("/v1/service", &[("host", "h")]).await, 200);
}

/// The head of a request may be 64 kB where it is passed on to the coordinator and 8 kB elsewhere,
/// on HTTP/2 as well; or as large as is set, everywhere.
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
        let server = Server::with(settings).await;
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

/// A PUT whose body is to have `BODY_BYTES`, of which so many are sent.
async fn put_of(server: &Server, nth: usize, sent_bytes: usize) -> TcpStream {
    let mut stream = server.connect().await;
    let head = format!(
        "PUT /v1/announcement/n{nth} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    );
    let body = vec![b' '; sent_bytes];
    let request = [head.as_bytes(), &body].concat();
    stream.write_all(&request).await.expect("the server reads");
    stream
}

/// Bodies that are being read take so much together: past it a write is refused, surely not
/// applied, small ones later than large ones; what is promised and not sent takes nothing; and once
/// they are gone all is as before.
#[tokio::test]
async fn bodies_share_their_room() {
    let server = Server::with(HttpSettings {
        max_announcement_bytes: BODY_BYTES,
        // Eight of the largest, of which large ones may take six.
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
        "PUT /v1/announcement/small HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{small}",
        small.len()
    );
    assert_eq!(server.ask(&put_small).await.status, 202);
    let mut under_way = Vec::new();
    for nth in 0..7 {
        under_way.push(put_of(&server, nth, BODY_BYTES - 1).await);
    }
    // Whichever is read last is one too many.
    let answers = under_way.iter_mut().map(|stream| Box::pin(answer(stream)));
    let (refused, nth, others) = select_all(answers).await;
    assert_eq!(
        (refused.status, refused.headers["quorate-applied"].as_str()),
        (503, "no")
    );
    assert_eq!(server.ask(&put_small).await.status, 202, "small ones may");
    // They end, and are no announcements.
    drop(others);
    under_way.remove(nth);
    for stream in &mut under_way {
        assert_eq!(ask(stream, " ").await.status, 400);
    }
    let mut large = put_of(&server, 8, BODY_BYTES).await;
    assert_eq!(answer(&mut large).await.status, 400);
    drop(promised);
}
