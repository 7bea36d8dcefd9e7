//! The largest bodies, in the shapes that take the most memory or time for their size.

use std::fmt::Write as _;

/// The default of `discovery.max-announcement-size`.
pub const BODY_BYTES: usize = 1_000_000;

/// Joins as many pieces as fit in a body of [`BODY_BYTES`], separated by commas. `piece` returns
/// the piece with the given number.
pub fn filled(piece: impl Fn(usize) -> String) -> String {
    let mut text = piece(0);
    for number in 1.. {
        let next = piece(number);
        if text.len() + next.len() > BODY_BYTES - 1_000 {
            break;
        }
        let _ = write!(text, ",{next}");
    }
    text
}

fn announced(services: &str) -> String {
    format!(r#"{{"environment":"test","pool":"p","location":"/l","services":[{services}]}}"#)
}

fn with_properties(properties: &str) -> String {
    announced(&format!(
        r#"{{"id":"i","type":"t","properties":{{{properties}}}}}"#
    ))
}

fn services(properties: &str, id: impl Fn(usize) -> String) -> String {
    announced(&filled(|number| {
        let id = id(number);
        format!(r#"{{"id":"{id}","type":"t","properties":{{{properties}}}}}"#)
    }))
}

/// Returns bodies with their names, and whether each is accepted.
pub fn shapes() -> Vec<(&'static str, String, bool)> {
    let down = |number: usize| format!("{:06}", 999_999 - number);
    let up = |number: usize| format!("{number:06}");
    let long = "x".repeat(BODY_BYTES - 1_000);
    let escaped = filled(|number| format!(r#""{number}":"{}""#, "\\n".repeat(16_000)));
    let some = |number: usize| match number {
        0..10_000 => format!(r#""{}":1"#, down(number)),
        _ => format!(r#""{}":"{}""#, down(number), "y".repeat(10_000)),
    };
    let ignored = filled(|number| format!(r#""u{number}":1"#));
    let empty = "{},".repeat(BODY_BYTES / 3 - 400);
    vec![
        ("ids that ascend", services(r#""k":"v""#, up), true),
        ("ids that descend", services(r#""k":"v""#, down), true),
        ("no properties", services("", down), true),
        (
            "one id",
            services(r#""b":1,"a":2"#, |_| "i".to_owned()),
            true,
        ),
        (
            "properties that descend",
            with_properties(&filled(some)),
            true,
        ),
        (
            "too many properties",
            with_properties(&filled(|n| format!(r#""{n}":1"#))),
            false,
        ),
        (
            "one long text",
            with_properties(&format!(r#""k":"{long}""#)),
            true,
        ),
        ("texts with escapes", with_properties(&escaped), true),
        (
            "a long text with escapes",
            with_properties(&format!(r#""k":"\n{long}""#)),
            false,
        ),
        (
            "a long key",
            with_properties(&format!(r#""{long}":1"#)),
            true,
        ),
        (
            "fields that are ignored",
            format!(r#"{{"environment":"test","pool":"p","services":[],{ignored}}}"#),
            true,
        ),
        ("empty services", announced(&format!("{empty}{{}}")), false),
        (
            "deep lists",
            announced(&"[".repeat(BODY_BYTES - 1_000)),
            false,
        ),
    ]
}
