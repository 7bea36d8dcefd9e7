//! Tests of lookups, streams and redirects of the coordinator.

use super::held::{announce, get};
use super::server::TestServer;
use super::watches::ReceivedStream;
use crate::http::{CoordinatorChoice, HttpSettings};
use crate::registry::Command;

const PATH: &str = "/v1/coordinator";

async fn text(server: &TestServer, path: &str) -> (u16, String) {
    let answer = server.ask(get(path, "")).await;
    (answer.status, String::from_utf8(answer.body).expect("text"))
}

/// Without a coordinator, 503 states which coordinator is missing. If there are several
/// coordinators, the newest one is returned, in text or JSON, alone or with the others.
#[tokio::test]
async fn the_newest_coordinator_is_answered() {
    let server = TestServer::start().await;
    let (status, reason) = text(&server, "/v1/coordinator?engine=trino&pool=etl").await;
    assert_eq!(
        (status, reason.as_str()),
        (
            503,
            "No coordinator of Trino is announced in the pool etl\n"
        )
    );
    announce(&server, "w1", "presto", "http://w1:1");
    assert_eq!(text(&server, PATH).await.0, 503, "a worker is none");
    announce(&server, "c1", "presto-coordinator", "http://c1:1");
    let index = announce(&server, "c2", "trino-coordinator", "http://c2:1/");
    assert_eq!(text(&server, PATH).await, (200, "http://c2:1\n".to_owned()));
    // A repeated or changed announcement does not change which coordinator is the newest.
    announce(&server, "c1", "presto-coordinator", "http://c1:2");
    assert_eq!(text(&server, PATH).await.1, "http://c2:1\n");
    assert_eq!(
        text(&server, "/v1/coordinator?all").await.1,
        "http://c2:1\nhttp://c1:2\n"
    );
    assert_eq!(
        text(&server, "/v1/coordinator?engine=presto").await.1,
        "http://c1:2\n"
    );
    assert_eq!(text(&server, "/v1/coordinator?pool=etl").await.0, 503);
    let json = server.ask(get(PATH, "Accept: application/json\r\n")).await;
    let json: serde_json::Value = serde_json::from_slice(&json.body).expect("JSON");
    assert_eq!(
        json,
        serde_json::json!({"uri": "http://c2:1", "engine": "trino", "nodeId": "c2",
            "pool": "general", "location": "/c2", "joinedIndex": index,
            "properties": {"http": "http://c2:1/"}})
    );
    for bad in ["engine=spark", "all=1", "watch=x"] {
        assert_eq!(
            text(&server, &format!("{PATH}?{bad}")).await.0,
            400,
            "{bad}"
        );
    }
}

/// With `discovery.coordinator-choice=oldest`, the coordinator that joined first is returned until
/// it leaves.
#[tokio::test]
async fn the_oldest_coordinator_is_answered_on_demand() {
    let server = TestServer::with(HttpSettings {
        coordinator_choice: CoordinatorChoice::Oldest,
        ..HttpSettings::new("test")
    })
    .await;
    announce(&server, "c1", "trino-coordinator", "http://c1:1");
    announce(&server, "c2", "trino-coordinator", "http://c2:1");
    assert_eq!(text(&server, PATH).await.1, "http://c1:1\n");
    server.backend.apply(|seen| Command::Withdraw {
        seen,
        node_id: "c1".to_owned(),
    });
    assert_eq!(text(&server, PATH).await.1, "http://c2:1\n");
}

/// A stream shows the current coordinator, each change of the coordinator, and its absence. A
/// change of workers causes no event.
#[tokio::test]
async fn a_coordinator_is_followed() {
    let server = TestServer::start().await;
    let mut one = ReceivedStream::open(&server, "/v1/coordinator?watch", "").await;
    let mut all = ReceivedStream::open(&server, "/v1/coordinator?watch&all&engine=trino", "").await;
    let none = one.event().await;
    assert_eq!(none.name.as_deref(), Some("none"));
    assert_eq!(
        none.data["reason"],
        "No coordinator of Presto or Trino is announced"
    );
    assert_eq!(all.event().await.name.as_deref(), Some("none"));
    announce(&server, "w1", "trino", "http://w1:1");
    for (node_id, engine) in [("c1", "trino-coordinator"), ("c2", "presto-coordinator")] {
        let uri = format!("http://{node_id}:1");
        let index = announce(&server, node_id, engine, &uri);
        let event = one.event().await;
        assert_eq!(event.name.as_deref(), Some("coordinator"));
        assert_eq!(event.id, format!("00000000000000a1:{index}"));
        assert_eq!(event.data["uri"], uri);
    }
    let event = all.event().await;
    assert_eq!(event.data["coordinators"][0]["uri"], "http://c1:1");
}

/// The engine's own paths redirect to its coordinator with the complete target. Without a
/// coordinator, 503 states the reason. With the redirect disabled, the paths are not found.
#[tokio::test]
async fn sql_clients_are_led_to_the_coordinator() {
    let server = TestServer::start().await;
    let post = "POST /v1/statement?x=%2F HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nselect 1";
    let none = server.ask(post).await;
    assert_eq!(
        (none.status, none.headers["retry-after"].as_str()),
        (503, "1")
    );
    announce(&server, "c1", "trino-coordinator", "http://c1:1");
    for (request, location) in [
        (post.to_owned(), "http://c1:1/v1/statement?x=%2F"),
        (get("/", ""), "http://c1:1/"),
        (get("/v1/info", ""), "http://c1:1/v1/info"),
        (
            get("/v1/statement", "").replace("GET", "HEAD"),
            "http://c1:1/v1/statement",
        ),
        (get("/ui", ""), "http://c1:1/ui"),
        (
            get("/ui/query.html?20261124_1", ""),
            "http://c1:1/ui/query.html?20261124_1",
        ),
        (get("//ui/a%20b/", ""), "http://c1:1//ui/a%20b/"),
    ] {
        let led = server.ask(&request).await;
        assert_eq!(
            (led.status, led.headers["location"].as_str()),
            (307, location)
        );
    }
    // A client is redirected to a coordinator of its own engine, if one is announced.
    announce(&server, "c2", "presto-coordinator", "http://c2:1");
    for (header, to) in [
        ("X-Presto-User: me", "c2"),
        ("X-Trino-User: me", "c1"),
        ("X-Other: 1", "c2"),
    ] {
        let led = server
            .ask(post.replace("Host: h", &format!("Host: h\r\n{header}")))
            .await;
        assert_eq!(
            led.headers["location"],
            format!("http://{to}:1/v1/statement?x=%2F")
        );
    }
    assert_eq!(server.ask(get("/v1/statement", "")).await.status, 405);
    assert_eq!(server.ask(get("/v1/query", "")).await.status, 404);
    let off = TestServer::with(HttpSettings {
        coordinator_redirect: false,
        ..HttpSettings::new("test")
    })
    .await;
    announce(&off, "c1", "trino-coordinator", "http://c1:1");
    for request in [
        post.to_owned(),
        get("/", ""),
        get("/ui/", ""),
        get("/v1/info", ""),
    ] {
        assert_eq!(off.ask(request).await.status, 404);
    }
}

/// A coordinator with an unusable address is never returned. The next usable coordinator is
/// returned instead, and JSON responses also list the unusable one. If there is no usable
/// coordinator, the error names the unusable one.
#[tokio::test]
async fn unusable_addresses_are_told_and_not_handed_on() {
    let server = TestServer::start().await;
    let mut stream = ReceivedStream::open(&server, "/v1/coordinator?watch", "").await;
    stream.event().await;
    let bad = format!("http://c2:99999/{}\u{1b}", "x".repeat(1_000));
    announce(&server, "c2", "trino-coordinator", &bad);
    let says = "No coordinator of Presto or Trino is announced \
        with a usable address: c2: http is 'http://c2:99999/xxx";
    let none = stream.event().await;
    assert_eq!(none.name.as_deref(), Some("none"));
    assert!(
        none.data["reason"]
            .as_str()
            .expect("text")
            .starts_with(says)
    );
    let post = "POST /v1/statement HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    for request in [get(PATH, ""), post.to_owned()] {
        let refused = server.ask(request).await;
        let line = String::from_utf8(refused.body).expect("text");
        assert!(line.starts_with(says), "{line}");
        assert!(
            line.len() < 520 && line.matches('\n').count() == 1,
            "{line}"
        );
        assert!(!line.contains('\u{1b}'));
        assert_eq!(refused.status, 503);
    }
    announce(&server, "c1", "trino-coordinator", "http://c1:1/");
    // `c3` joins last, but its address is unusable.
    announce(&server, "c3", "trino-coordinator", "http://u:p@c3:1");
    assert_eq!(text(&server, PATH).await, (200, "http://c1:1\n".to_owned()));
    assert_eq!(
        text(&server, &format!("{PATH}?all")).await.1,
        "http://c1:1\n"
    );
    assert_eq!(
        server.ask(post).await.headers["location"],
        "http://c1:1/v1/statement"
    );
    for path in [PATH, "/v1/coordinator?all"] {
        let json = server.ask(get(path, "Accept: application/json\r\n")).await;
        let json: serde_json::Value = serde_json::from_slice(&json.body).expect("JSON");
        let unusable = &json["unusable"];
        assert_eq!(unusable[0]["nodeId"], "c3", "{json}");
        assert_eq!(
            unusable[0]["reason"],
            "http is 'http://u:p@c3:1': it contains a user name"
        );
        assert_eq!(unusable[1]["nodeId"], "c2", "{json}");
    }
    // A lookup returns the announcement with the unusable address unchanged.
    let found = text(&server, "/v1/service/trino-coordinator").await.1;
    assert!(found.contains("http://u:p@c3:1"), "{found}");
}
