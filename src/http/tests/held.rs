//! Tests of lookups that are held until their results change.

use super::replay::Answer;
use super::server::{TestServer, answer, ask, byte};
use crate::clock::now;
use crate::http::HttpSettings;
use crate::http::fake_backend::Mode;
use crate::model::{Announcement, Service};
use crate::registry::Command;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(10);
const PATH: &str = "/v1/service/presto/general";

pub(super) fn settings(hold_time_ms: u64, max_waiting: usize) -> HttpSettings {
    HttpSettings {
        hold_time_ms,
        max_waiting,
        ..HttpSettings::new("test")
    }
}

pub(super) fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n")
}

/// Announces one service of a node. Different addresses (`http`) make different announcements of
/// the same node.
pub(super) fn announce(server: &TestServer, node_id: &str, service_type: &str, http: &str) -> u64 {
    server.backend.apply(|seen| Command::Announce {
        seen,
        announcement: Announcement {
            node_id: node_id.to_owned(),
            pool: "general".to_owned(),
            location: format!("/{node_id}"),
            services: vec![Service {
                id: format!("id-of-{node_id}"),
                service_type: service_type.to_owned(),
                properties: [("http".to_owned(), http.to_owned())].into(),
            }]
            .into(),
        },
    })
}

/// Waits until `count` lookups or streams are waiting, each with a subscription of its own.
pub(super) async fn followed(server: &TestServer, count: usize) {
    let deadline = now() + PATIENCE;
    while server.backend.followed() != count {
        assert!(
            now() < deadline,
            "{} are followed",
            server.backend.followed()
        );
        tokio::task::yield_now().await;
    }
}

/// Sends a lookup, and returns once it is held.
async fn held(server: &TestServer, path: &str, headers: &str) -> TcpStream {
    let before = server.backend.followed();
    let mut stream = server.connect().await;
    stream
        .write_all(get(path, headers).as_bytes())
        .await
        .expect("the server reads");
    followed(server, before + 1).await;
    stream
}

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].clone()
}

/// Responses with equal bytes have equal tags, and a gzip response has a weak tag. `Cache-Control`
/// tells the client to look up again after one second.
#[tokio::test]
async fn a_lookup_carries_its_tag() {
    let server = TestServer::start().await;
    let first = server.ask(get(PATH, "")).await;
    assert_eq!(
        (first.status, first.headers["cache-control"].as_str()),
        (200, "max-age=1")
    );
    announce(&server, "other", "trino", "x");
    assert_eq!(tag(&server.ask(get(PATH, "")).await), tag(&first));
    announce(&server, "w1", "presto", "x");
    let second = server.ask(get(PATH, "")).await;
    assert_ne!(tag(&second), tag(&first));
    let gzip = server.ask(get(PATH, "Accept-Encoding: gzip\r\n")).await;
    assert_eq!(tag(&gzip), format!("W/{}", tag(&second)));
    let all = server.ask(get("/v1/service", "")).await;
    assert_ne!(tag(&all), tag(&second));
}

/// A held lookup is answered by a change of its own result, and not by a change of another lookup.
/// The tag may come in `ETag` or `If-None-Match`, weak or strong, alone or in a list.
#[tokio::test]
async fn a_known_answer_is_held_until_it_changes() {
    let server = TestServer::start().await;
    for (round, brings) in [
        "ETag: {}",
        "If-None-Match: {}",
        "If-None-Match: \"x\", W/{}",
    ]
    .into_iter()
    .enumerate()
    {
        let has = server.ask(get(PATH, "")).await;
        let headers = format!("{}\r\n", brings.replace("{}", &tag(&has)));
        let mut waiting = held(&server, PATH, &headers).await;
        announce(&server, "other", "trino", &round.to_string());
        announce(&server, "w1", "presto-coordinator", &round.to_string());
        // Other lookups are served, and the held one still waits.
        assert_eq!(server.ask(get(PATH, "")).await.status, 200);
        assert_eq!(server.backend.followed(), 1);
        let index = announce(&server, "w2", "presto", &round.to_string());
        let changed = answer(&mut waiting).await;
        assert_eq!(
            (changed.status, changed.headers["quorate-index"].as_str()),
            (200, index.to_string().as_str())
        );
        assert_ne!(tag(&changed), tag(&has));
        assert_eq!(server.backend.followed(), 0, "nothing is left behind");
    }
}

/// A lookup with anything but the current tag is answered immediately. So are HEAD requests, stale
/// lookups, and lookups with the tag `*`.
#[tokio::test]
async fn what_cannot_be_held_is_answered_at_once() {
    let server = TestServer::start().await;
    let has = tag(&server.ask(get(PATH, "")).await);
    for brings in [
        "",
        "\"0\"",
        "W/",
        "abc",
        "\"",
        "\u{e4}",
        ",",
        "\"0\", \"1\"",
    ] {
        let headers = format!("If-None-Match: {brings}\r\nETag: {brings}\r\n");
        assert_eq!(
            server.ask(get(PATH, &headers)).await.status,
            200,
            "{brings}"
        );
    }
    let any = server.ask(get(PATH, "If-None-Match: *\r\n")).await;
    assert_eq!((any.status, tag(&any)), (304, has.clone()));
    let known = format!("If-None-Match: {has}\r\n");
    let head = get(PATH, &known).replace("GET", "HEAD");
    assert_eq!(server.ask(head).await.status, 304);
    let head = get(&format!("{PATH}?index=0"), "").replace("GET", "HEAD");
    assert_eq!(server.backend.followed(), 0);
    let mut stream = server.connect().await;
    stream.write_all(head.as_bytes()).await.expect("it reads");
    // The response to HEAD has no body, despite its `Content-Length`.
    let mut begin = [0; 12];
    for position in &mut begin {
        *position = byte(&mut stream).await.expect("an answer at once");
    }
    assert_eq!(&begin, b"HTTP/1.1 200");
    let stale = server
        .ask(get(&format!("{PATH}?consistency=stale"), &known))
        .await;
    assert_eq!(
        (stale.status, stale.headers["quorate-consistency"].as_str()),
        (304, "stale")
    );
}

/// A held lookup that ends without a change is confirmed by another linearizable read. The client
/// gets 304 with `ETag` and `Cache-Control`, or 503 if the read fails.
#[tokio::test]
async fn a_hold_that_ends_is_confirmed() {
    let server = TestServer::with(settings(50, 10)).await;
    let has = tag(&server.ask(get(PATH, "")).await);
    let known = format!("ETag: {has}\r\n");
    let began = now();
    let ended = server.ask(get(PATH, &known)).await;
    assert_eq!((ended.status, tag(&ended)), (304, has));
    assert_eq!(ended.headers["cache-control"], "max-age=1");
    assert!(ended.body.is_empty() && ended.headers.contains_key("quorate-index"));
    assert!(began.elapsed() >= Duration::from_millis(50));

    let mut waiting = held(&server, PATH, &known).await;
    server.backend.set(Mode::No);
    assert_eq!(answer(&mut waiting).await.status, 503);
}

/// With `discovery.hold-time=0s` nothing is held, and clients are given their own default interval.
#[tokio::test]
async fn without_a_hold_time_nothing_is_held() {
    let server = TestServer::with(settings(0, 10)).await;
    let first = server.ask(get(PATH, "")).await;
    let again = server
        .ask(get(PATH, &format!("ETag: {}\r\n", tag(&first))))
        .await;
    for (answered, status) in [(&first, 200), (&again, 304)] {
        assert_eq!(answered.status, status);
        assert_eq!(answered.headers["cache-control"], "max-age=10");
    }
}

/// When a node stops serving reads, it answers all waiting clients with 503 and the reason.
#[tokio::test]
async fn a_lost_node_ends_its_holds() {
    let server = TestServer::start().await;
    let has = server.ask(get(PATH, "")).await;
    let mut tagged = held(&server, PATH, &format!("ETag: {}\r\n", tag(&has))).await;
    let mut waiting = held(&server, &format!("{PATH}?index=0"), "").await;
    server.backend.set_lost(Some("no majority"));
    for stream in [&mut tagged, &mut waiting] {
        let refused = answer(stream).await;
        assert_eq!(
            (refused.status, refused.body.as_slice()),
            (503, b"no majority\n".as_slice())
        );
        assert_eq!(refused.headers["retry-after"], "1");
    }
}

/// When all permits for held lookups are taken, an engine gets an immediate response and a longer
/// interval. When all permits for lookups with `?index=` are taken, such a lookup is rejected.
#[tokio::test]
async fn past_the_places_nobody_is_held() {
    let server = TestServer::with(settings(60_000, 1)).await;
    let has = server.ask(get(PATH, "")).await;
    let known = format!("ETag: {}\r\n", tag(&has));
    let mut waiting = held(&server, PATH, &known).await;
    let second = server.ask(get(PATH, &known)).await;
    assert_eq!(
        (second.status, second.headers["cache-control"].as_str()),
        (304, "max-age=10")
    );
    let untagged = server.ask(get(PATH, "")).await;
    assert_eq!(untagged.headers["cache-control"], "max-age=10");
    // Lookups that wait for an index have permits of their own.
    let wait = format!("{PATH}?index=0");
    let mut indexed = held(&server, &wait, "").await;
    let refused = server.ask(get(&wait, "")).await;
    assert_eq!(
        (refused.status, refused.headers["retry-after"].as_str()),
        (503, "1")
    );
    announce(&server, "w1", "presto", "x");
    assert_eq!(answer(&mut waiting).await.status, 200);
    assert_eq!(answer(&mut indexed).await.status, 200);
    assert_eq!(
        server.ask(get(PATH, "")).await.headers["cache-control"],
        "max-age=1",
        "the permits are given back"
    );
}

/// A lookup with `?index=` waits until its result changes after that index. The answer is immediate
/// if the result has already changed, or if the index is not from this cluster. At the end of
/// `wait`, the unchanged result is returned.
#[tokio::test]
async fn an_index_is_waited_for() {
    let server = TestServer::start().await;
    let index = announce(&server, "w1", "presto", "a");
    for earlier in [
        "0".to_owned(),
        (index - 1).to_string(),
        (index + 1_000).to_string(),
    ] {
        let at_once = server
            .ask(get(&format!("{PATH}?index={earlier}"), ""))
            .await;
        assert_eq!(at_once.status, 200);
        assert_eq!(at_once.headers["quorate-index"], index.to_string());
    }
    let over = server
        .ask(get(&format!("{PATH}?index={index}&wait=20ms"), ""))
        .await;
    assert_eq!(
        (over.status, over.headers["quorate-index"].as_str()),
        (200, index.to_string().as_str())
    );

    // Changes of other lookups advance the node's index, but do not count as changes of this
    // lookup.
    let mut waiting = held(&server, &format!("{PATH}?index={index}"), "").await;
    announce(&server, "other", "trino", "a");
    announce(&server, "w1", "presto", "a");
    assert_eq!(server.ask(get(PATH, "")).await.status, 200);
    assert_eq!(server.backend.followed(), 1);
    let changed = announce(&server, "w1", "presto", "b");
    assert_eq!(
        answer(&mut waiting).await.headers["quorate-index"],
        changed.to_string()
    );
    // The removal of the last service of a type is a change too.
    let mut waiting = held(&server, &format!("{PATH}?index={changed}"), "").await;
    server.backend.apply(|seen| Command::Withdraw {
        seen,
        node_id: "w1".to_owned(),
    });
    let gone = answer(&mut waiting).await;
    assert!(gone.body.ends_with(b"\"services\":[]}\n"));

    for bad in ["index=x", "index=1&wait=7d", "wait=1s", "index=1&wait=soon"] {
        assert_eq!(
            server.ask(get(&format!("{PATH}?{bad}"), "")).await.status,
            400,
            "{bad}"
        );
    }
}

/// Connections with held lookups do not count against the limit of their address, because they have
/// sent a whole request. The lookups of a whole cluster can therefore be held behind one proxy.
#[tokio::test]
async fn held_lookups_do_not_count_against_their_address() {
    let server = TestServer::with(HttpSettings {
        max_connections_per_address: 2,
        ..HttpSettings::new("test")
    })
    .await;
    let has = server.ask(get(PATH, "")).await;
    let known = format!("ETag: {}\r\n", tag(&has));
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(held(&server, PATH, &known).await);
    }
    announce(&server, "w1", "presto", "x");
    for mut stream in waiting {
        assert_eq!(answer(&mut stream).await.status, 200);
    }
}

/// A disconnected client keeps its permit for seconds at most, even if its lookup could be held for
/// minutes.
#[tokio::test]
async fn an_abandoned_lookup_gives_its_place_back() {
    let server = TestServer::with(settings(600_000, 2)).await;
    let has = server.ask(get(PATH, "")).await;
    let known = format!("ETag: {}\r\n", tag(&has));
    let mut kept = held(&server, &format!("{PATH}?index=0&wait=1m"), "").await;
    drop(held(&server, PATH, &known).await);
    // This client has sent more bytes ahead, which are not read before the first request is
    // answered.
    let mut ahead = held(&server, &format!("{PATH}?index=0&wait=1m"), "").await;
    ahead.write_all(b"G").await.expect("the server is there");
    drop(ahead);
    let began = now();
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    while server.backend.followed() > 1 {
        pace.tick().await;
        assert!(began.elapsed() < Duration::from_secs(30), "it is kept");
    }
    // A client that is still connected still waits, and is answered.
    announce(&server, "w1", "presto", "x");
    assert_eq!(answer(&mut kept).await.status, 200);
}

/// When a server stops, it answers the waiting clients with a confirmed result, and does not wait
/// for their deadlines.
#[tokio::test]
async fn a_stop_ends_holds_with_an_answer() {
    let server = TestServer::start().await;
    let has = server.ask(get(PATH, "")).await;
    let known = format!("ETag: {}\r\n", tag(&has));
    let mut tagged = held(&server, PATH, &known).await;
    let mut indexed = held(&server, &format!("{PATH}?index=0&wait=1m"), "").await;
    server.stop().await;
    assert_eq!(answer(&mut tagged).await.status, 304);
    assert_eq!(answer(&mut indexed).await.status, 200);
}

/// The response to an acknowledged announcement states `discovery.announce-interval` if that is
/// set, and no interval otherwise.
#[tokio::test]
async fn clients_are_told_when_to_announce() {
    let body = r#"{"environment":"test","pool":"p","services":[]}"#;
    let put = format!(
        "PUT /v1/announcement/n HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut settings = HttpSettings::new("test");
    settings.announce_interval_s = Some(12);
    let asked = TestServer::with(settings).await.ask(&put).await;
    assert_eq!(
        (asked.status, asked.headers["cache-control"].as_str()),
        (202, "max-age=12")
    );
    let server = TestServer::start().await;
    let untold = ask(&mut server.connect().await, &put).await;
    assert!(!untold.headers.contains_key("cache-control"));
}
