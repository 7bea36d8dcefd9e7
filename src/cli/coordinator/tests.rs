//! Tests of which events report a change of coordinator.

use super::*;
use serde_json::value::RawValue;

fn event(kind: &str, data: &str) -> SseEvent {
    SseEvent {
        kind: kind.to_owned(),
        id: None,
        data: RawValue::from_string(data.to_owned()).expect("JSON"),
    }
}

fn arguments(options: &[&str]) -> CoordinatorArguments {
    let words = ["quorate coordinator"].iter().chain(options);
    CoordinatorArguments::try_parse_from(words).expect("options")
}

/// Returns the lines that a series of events prints. If there is no coordinator, the line is the
/// reason in parentheses.
fn printed(options: &[&str], series: &[(&str, &str)]) -> Vec<String> {
    let arguments = arguments(options);
    let mut known = LastCoordinator::default();
    let mut lines = Vec::new();
    for (kind, data) in series {
        match known.take_in(&event(kind, data), &arguments) {
            Some(CoordinatorNews::Are(_)) => lines.push(known.line.clone()),
            Some(CoordinatorNews::None(reason)) => lines.push(format!("({reason})")),
            None => {}
        }
    }
    lines
}

const A: &str =
    r#"{"uri":"http://a:1","engine":"trino","nodeId":"c1","joinedIndex":7,"properties":{}}"#;
const A_AS_C2: &str = r#"{"uri":"http://a:1","engine":"trino","nodeId":"c2"}"#;
const A_WITH_MORE: &str =
    r#"{"uri":"http://a:1","engine":"trino","nodeId":"c1","properties":{"x":"y"}}"#;
const B: &str = r#"{"uri":"http://b:1"}"#;
const NONE: &str = r#"{"reason":"none is announced"}"#;

/// A repeated state is not reported. The reported changes are another address, another node at the
/// same address, and the lack of any coordinator. A change of properties is reported only with
/// `--json`, which prints the properties.
#[test]
fn only_changes_are_news() {
    let series = [
        ("coordinator", A),
        ("coordinator", A),
        ("coordinator", A_WITH_MORE),
        ("later", "{}"),
        ("coordinator", A_AS_C2),
        ("none", NONE),
        ("none", NONE),
        ("coordinator", A_AS_C2),
        ("coordinator", B),
    ];
    let text = [
        "http://a:1",
        "http://a:1",
        "(none is announced)",
        "http://a:1",
        "http://b:1",
    ];
    assert_eq!(printed(&["--watch"], &series), text);
    let json = [A, A_WITH_MORE, A_AS_C2, "(none is announced)", A_AS_C2, B];
    assert_eq!(printed(&["--watch", "--json"], &series), json);
}

/// With `--all`, one line lists all coordinators, and a change of their order is reported too.
#[test]
fn all_are_one_line() {
    let both = format!(r#"{{"coordinators":[{A},{B}]}}"#);
    let turned = format!(r#"{{"coordinators":[{B},{A}]}}"#);
    let series = [
        ("coordinator", both.as_str()),
        ("coordinator", both.as_str()),
        ("coordinator", turned.as_str()),
        ("coordinator", r#"{"coordinators":[]}"#),
    ];
    assert_eq!(
        printed(&["--watch", "--all"], &series),
        ["http://a:1 http://b:1", "http://b:1 http://a:1"]
    );
}

/// An address is printed as one word, even if the announced address contains blanks or line breaks.
/// A response without an address is an error.
#[test]
fn addresses_are_one_word() {
    let found = coordinators(r#"{"uri":"http://a:1/x y\nz"}"#, false).expect("one");
    assert_eq!(found[0].word(), "http://a:1/x%20y%0Az");
    for json in ["", "[]", "{}", r#"{"uri":null}"#, "<html>"] {
        assert!(coordinators(json, false).is_err(), "{json}");
        assert!(coordinators(json, true).is_err(), "{json}");
    }
}

/// Conflicting or invalid options are refused.
#[test]
fn contradictions_are_refused() {
    for options in [
        ["--exec=x", "--json"].as_slice(),
        &["--exec=x", "--all"],
        &["--watch", "--timeout=5s"],
        &["--timeout=0s"],
        &["--engine=spark"],
        &["--pool="],
        &["--server=ftp://x"],
    ] {
        let words = ["quorate coordinator"].iter().chain(options);
        assert!(
            CoordinatorArguments::try_parse_from(words).is_err(),
            "{options:?}"
        );
    }
}
