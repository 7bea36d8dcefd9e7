//! Tests of the shortcut past the router (`direct_lookup` and `direct_put`).

use super::server::TestServer;
use crate::http::fake_backend::FakeBackend;
use crate::model::Announcement;
use crate::registry::Command;

const NODE: &str = r#"{"environment":"test","pool":"p","location":"/n","services":[
    {"id":"00000000-0000-0000-0000-000000000001","type":"presto",
     "properties":{"http":"http://n:8080"}}]}"#;

fn announce(backend: &FakeBackend) {
    let announcement = Announcement::from_json("n", NODE.as_bytes(), "test").expect("a good one");
    backend.apply(|seen| Command::Announce { seen, announcement });
}

/// Every spelling of a lookup's path gets the same response, with the same headers and errors. The
/// plain spelling bypasses the router, which decodes the other spellings.
#[tokio::test]
async fn every_spelling_has_one_answer() {
    let server = TestServer::start().await;
    announce(&server.backend);
    let get = async |target: &str, headers: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
        let mut answer = server.ask(request).await;
        answer.headers.remove("date");
        (answer.status, answer.headers, answer.body)
    };
    let queries = [
        "",
        "?",
        "?x=y",
        "?consistency=stale",
        "?consistency=none",
        "?index=0&wait=1ms",
        "?wait=1s",
    ];
    let accepted = [
        "",
        "Accept: text/plain\r\n",
        "Accept-Encoding: gzip\r\n",
        "If-None-Match: *\r\n",
    ];
    for (plain, spelled, statuses) in [
        ("/v1/service/presto", "/v1/service/%70resto", 200),
        ("/v1/service/none", "/v1/service/%6eone", 200),
        ("/v1/service/presto/p", "/v1/service/presto/%70", 200),
        ("//v1/service//presto/", "/v1/service/%70resto", 200),
        ("/v1/service/presto/p/x", "/v1/service/presto/p/%78", 404),
        ("/v1/services", "/v1/service%73", 404),
        ("/v1/services/p", "/v1/service%73/p", 404),
    ] {
        assert_eq!(get(plain, "").await.0, statuses, "{plain}");
        for (query, headers) in queries.iter().flat_map(|q| accepted.map(|a| (q, a))) {
            let [plain, spelled] = [plain, spelled].map(|path| format!("{path}{query}"));
            let expected = get(&spelled, headers).await;
            assert_eq!(get(&plain, headers).await, expected, "{plain} {headers}");
        }
    }
}

/// Every spelling of an announcement's path gets the same response. The plain spelling bypasses the
/// router, which decodes the other spellings.
#[tokio::test]
async fn every_spelling_announces() {
    let server = TestServer::start().await;
    let put = async |target: &str, headers: &str, body: &str| {
        let length = body.len();
        let request = format!(
            "PUT {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        let mut answer = server.ask(request).await;
        // The index is removed before the comparison, because it differs for each write.
        let index = answer.headers.remove("quorate-index");
        assert_eq!(index.is_some(), answer.status == 202);
        answer.headers.remove("date");
        (answer.status, answer.headers, answer.body)
    };
    let json = "Content-Type: application/json\r\n";
    for (headers, body, status) in [
        (json, NODE, 202),
        (json, "{}", 400),
        (json, "", 400),
        ("", NODE, 415),
        ("Content-Type: text/plain\r\n", NODE, 415),
    ] {
        let plain = put("/v1/announcement/n", headers, body).await;
        assert_eq!(plain.0, status, "{headers} {body}");
        for other in [
            "/v1/announcement/%6e",
            "//v1//announcement/n/",
            "/v1/announcement/n;a=b",
        ] {
            assert_eq!(put(other, headers, body).await, plain, "{other}");
        }
    }
    let found = server
        .ask("GET /v1/service/presto HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    let found = String::from_utf8_lossy(&found.body).into_owned();
    assert_eq!(found.matches(r#""nodeId":"n""#).count(), 1, "{found}");
}

/// Other methods and other paths go through the router.
#[tokio::test]
async fn the_rest_is_routed() {
    let server = TestServer::start().await;
    for (method, path, status) in [
        ("OPTIONS", "/v1/service/presto", 200),
        ("POST", "/v1/service/presto", 405),
        ("PUT", "/v1/service/presto", 405),
        ("PUT", "/v1/announcement", 404),
        ("PUT", "/v1/announcement/static", 405),
        ("PUT", "/v1/announcement/static/x", 405),
        ("PUT", "/v1/announcement/a/b", 404),
        ("POST", "/v1/announcement/a", 405),
        ("DELETE", "/v1/announcement/a", 204),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(server.ask(request).await.status, status, "{method} {path}");
    }
}
