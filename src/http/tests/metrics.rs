//! Tests of the metrics.

use super::held::{announce, get};
use super::server::TestServer;
use crate::clock::now;
use crate::http::HttpSettings;
use crate::http::fake_backend::Mode;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATH: &str = "/v1/service/presto/general";

/// Maximum number of time series of a node.
const SERIES_MAX: usize = 400;
/// Maximum time of a scrape.
const SCRAPE_LIMIT: Duration = Duration::from_millis(5);

fn scrape(accept: &str) -> String {
    format!("GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n\r\n")
}

async fn text(server: &TestServer) -> String {
    let answered = server.ask(scrape("*/*")).await;
    assert_eq!(answered.status, 200);
    String::from_utf8(answered.body).expect("text")
}

/// Returns the value of a series.
fn value(text: &str, series: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("no series {series} in {text}"));
    value.parse().expect("a number")
}

/// The format is that of Prometheus, unless the client names OpenMetrics and does not prefer plain
/// text.
#[tokio::test]
async fn the_format_is_negotiated() {
    let server = TestServer::start().await;
    let prometheus_3 = "application/openmetrics-text;version=1.0.0;q=0.6,\
        application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
        text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for (accept, is_open) in [
        ("*/*", false),
        ("text/plain", false),
        ("text/html, */*;q=0.8", false),
        ("application/openmetrics-text", true),
        (prometheus_3, true),
        ("text/plain, application/openmetrics-text;q=0.5", false),
        ("text/plain, application/openmetrics-text;q=0", false),
        ("application/json", false),
    ] {
        let answered = server.ask(scrape(accept)).await;
        assert_eq!(answered.status, 200, "{accept}");
        let content_type = match is_open {
            true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            false => "text/plain; version=0.0.4; charset=utf-8",
        };
        assert_eq!(answered.headers["content-type"], content_type, "{accept}");
        let body = String::from_utf8(answered.body).expect("text");
        assert_eq!(body.ends_with("# EOF\n"), is_open, "{accept}");
    }
}

/// Requests, writes and refusals are counted by route, class and outcome. A path without a route
/// adds no series.
#[tokio::test]
async fn requests_are_counted() {
    let server = TestServer::start().await;
    let body = r#"{"environment":"test","pool":"p","services":[]}"#;
    let put = format!(
        "PUT /v1/announcement/n HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..3 {
        assert_eq!(server.ask(&put).await.status, 202);
    }
    for _ in 0..3 {
        assert_eq!(server.ask(get("/v1/service/t", "")).await.status, 200);
    }
    let before = text(&server).await;
    for i in 0..50 {
        let path = format!("/nothing-{i}");
        assert_eq!(server.ask(get(&path, "")).await.status, 404);
    }
    let missing = server.ask("GET /v1/service HTTP/1.1\r\n\r\n").await;
    assert_eq!(missing.status, 400);
    server.backend.set(Mode::No);
    assert_eq!(server.ask(get("/v1/service/t/p", "")).await.status, 503);
    let after = text(&server).await;
    for (series, expected) in [
        (
            r#"quorate_http_requests_total{route="/v1/service/{type}",code="2xx"}"#,
            3.0,
        ),
        (
            r#"quorate_http_requests_total{route="/v1/service/{type}/{pool}",code="5xx"}"#,
            1.0,
        ),
        (
            r#"quorate_http_requests_total{route="/v1/announcement/{node_id}",code="2xx"}"#,
            3.0,
        ),
        (
            r#"quorate_http_requests_total{route="other",code="4xx"}"#,
            51.0,
        ),
        (
            r#"quorate_http_request_duration_seconds_count{kind="lookup"}"#,
            4.0,
        ),
        (r#"quorate_writes_total{kind="announce",result="ok"}"#, 1.0),
        (r#"quorate_writes_total{kind="renew",result="ok"}"#, 2.0),
        (
            r#"quorate_writes_total{kind="announce",result="refused"}"#,
            0.0,
        ),
        ("quorate_nodes", 1.0),
        ("quorate_ready", 0.0),
    ] {
        assert_eq!(value(&after, series), expected, "{series}");
    }
    let names = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let names = lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()));
        names.collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&before), names(&after), "clients add no series");
    assert!(names(&after).len() <= SERIES_MAX, "{}", names(&after).len());
}

/// The time for which a lookup is held is not a duration of requests, even if the hold fails.
#[tokio::test]
async fn held_lookups_have_no_duration() {
    let server = TestServer::with(HttpSettings {
        hold_time_ms: 20,
        ..HttpSettings::new("test")
    })
    .await;
    let tag = server.ask(get(PATH, "")).await.headers["etag"].clone();
    let headers = format!("If-None-Match: {tag}\r\n");
    let unchanged = server.ask(get(PATH, &headers)).await;
    assert_eq!(unchanged.status, 304);
    server.backend.set_lost(Some("no leader"));
    assert_eq!(server.ask(get(PATH, &headers)).await.status, 503);
    let text = text(&server).await;
    let durations = r#"quorate_http_request_duration_seconds_count{kind="lookup"}"#;
    assert_eq!(value(&text, durations), 1.0);
    for (code, count) in [("2xx", 1.0), ("3xx", 1.0), ("5xx", 1.0)] {
        let route = r#"route="/v1/service/{type}/{pool}""#;
        let series = format!("quorate_http_requests_total{{{route},code=\"{code}\"}}");
        assert_eq!(value(&text, &series), count, "{code}");
    }
}

/// A scrape takes little time, however many nodes are announced.
#[tokio::test]
async fn a_scrape_does_not_depend_on_the_number_of_nodes() {
    let server = TestServer::start().await;
    for i in 0..10_000 {
        announce(&server, &format!("n{i}"), "trino", "http://h:1");
    }
    let request = "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..20 {
        let mut stream = server.connect().await;
        let (began, mut answer) = (now(), Vec::new());
        let sent = stream.write_all(request.as_bytes()).await;
        sent.expect("the server reads");
        let read = stream.read_to_end(&mut answer).await;
        read.expect("a whole response");
        took.push(began.elapsed());
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
    }
    // The least, since other tests run at the same time.
    assert!(took.iter().min() < Some(&SCRAPE_LIMIT), "{took:?}");
    assert_eq!(value(&text(&server).await, "quorate_nodes"), 10_000.0);
}
