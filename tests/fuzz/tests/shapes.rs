//! The largest bodies, in the shapes that take the most memory for their size.

use peak_alloc::PeakAlloc;
use quorate::model::{Announcement, StaticService};
use std::fmt::Write as _;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The default of `discovery.max-announcement-size`.
const BODY_BYTES: usize = 1_000_000;
/// What a body may take, whatever is in it: twice its size, and what the longest text with escapes in it and the most
/// properties of one service take while they are read.
const PER_BYTE: usize = 2;
const BASE_BYTES: usize = 256 << 10;

/// Pieces with commas between them, as many as there is room for; each is told its number.
fn filled(piece: impl Fn(usize) -> String) -> String {
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

/// Bodies, and whether each is taken.
fn shapes() -> Vec<(&'static str, String, bool)> {
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

/// What a call takes at most.
fn peak(call: impl FnOnce() -> bool) -> (bool, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let done = call();
    (done, MEMORY.peak_usage().saturating_sub(before))
}

/// Proves that no announcement, whatever its shape, takes more than twice its size while it is read. One test, since memory is
/// counted for the whole process.
#[test]
fn no_shape_of_a_body_takes_more_than_twice_its_size() {
    for (name, body, is_taken) in shapes() {
        assert!(
            (BODY_BYTES * 9 / 10..=BODY_BYTES).contains(&body.len()),
            "{name}: {}",
            body.len()
        );
        let (taken, took) = peak(|| Announcement::from_json("n", body.as_bytes(), "test").is_ok());
        println!("{name}: {took} bytes for {}", body.len());
        assert_eq!(taken, is_taken, "{name}");
        assert!(
            took <= PER_BYTE * body.len() + BASE_BYTES,
            "{name}: {took} bytes"
        );
    }
    let properties = filled(|number| format!(r#""{:06}":"{}""#, 999_999 - number, "z".repeat(100)));
    let body =
        format!(r#"{{"environment":"test","type":"t","pool":"p","properties":{{{properties}}}}}"#);
    let (taken, took) = peak(|| StaticService::from_json("i", body.as_bytes(), "test").is_ok());
    println!("static: {took} bytes for {}", body.len());
    assert!(
        taken && took <= PER_BYTE * body.len() + BASE_BYTES,
        "static: {took} bytes"
    );
}
