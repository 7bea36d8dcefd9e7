//! Tests of `quorate services`, which prints a table, or with `--json` the unchanged answer.

use crate::fake_server::{FakeServer, Reply};
use crate::process::{quorate, run};

const LOOKUP: &str = concat!(
    r#"{"environment":"test","services":[{"id":"1","nodeId":"c1","type":"trino","#,
    r#""pool":"general","location":"/c1","properties":{"http":"http://10.0.0.5:8080"}}]}"#
);

/// Each kind of lookup requests its own path, and prints a table or the unchanged answer.
#[test]
fn lookups_are_printed() {
    let server = FakeServer::start(|_, _| Reply::Text(200, LOOKUP.to_owned()));
    let print = |words: &[&str]| {
        let ended = run(&mut quorate(words, &[&server.url()]));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        ended.stdout
    };
    let table = "\
TYPE   POOL     NODE  ADDRESS               LOCATION
trino  general  c1    http://10.0.0.5:8080  /c1
";
    assert_eq!(print(&["services"]), table);
    assert_eq!(print(&["services", "trino"]), table);
    let json = print(&["services", "a/b", "c d", "--json"]);
    assert_eq!(json, format!("{LOOKUP}\n"));
    let targets: Vec<String> = server
        .requests()
        .into_iter()
        .map(|request| request.target)
        .collect();
    let expected = [
        "/v1/service",
        "/v1/service/trino",
        "/v1/service/a%2Fb/c%20d",
    ];
    assert_eq!(targets, expected);
}

/// An answer that is not a lookup, such as an HTML page, is not printed but reported as an error.
#[test]
fn a_page_is_no_lookup() {
    let page = FakeServer::saying(200, "<html>");
    let ended = run(&mut quorate(&["services", "--json"], &[&page.url()]));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(
        ended.stderr.contains("is it a quorate server?"),
        "{ended:?}"
    );
}
