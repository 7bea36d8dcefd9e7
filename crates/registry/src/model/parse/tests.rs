use super::announcement::*;
use crate::model::{Announcement, MAX_NESTING, Service, StaticService, write_json_string};
use proptest::prelude::*;

const ENVIRONMENT: &str = r#""environment":"test""#;

fn read(body: &str) -> Result<Announcement, String> {
    Announcement::from_json("w1", body.as_bytes(), "test").map_err(|e| e.to_string())
}

/// Parses a body with this one service.
fn service(json: &str) -> Result<Service, String> {
    let body = format!(r#"{{{ENVIRONMENT},"pool":"general","services":[{json}]}}"#);
    read(&body).map(|announcement| announcement.services.to_vec().remove(0))
}

/// Parses a body with this one property value.
fn property(json: &str) -> Result<String, String> {
    let service = service(&format!(
        r#"{{"id":"i","type":"t","properties":{{"a":{json}}}}}"#
    ))?;
    Ok(service.properties["a"].clone())
}

/// A body as sent by Java's announcer is read completely.
#[test]
fn java_body() {
    let read = read(
        r#"{"environment":"test","nodeId":"another","pool":"general","location":"/w1","services":[
            {"id":"b","type":"presto","properties":{"http":"http://h:1","coordinator":"false"}},
            {"id":"a","type":"jmx","properties":{}}],"zzz":[{"deep":[1,2]}]}"#,
    )
    .unwrap();
    assert_eq!(
        (&*read.node_id, &*read.pool, &*read.location),
        ("w1", "general", "/w1")
    );
    assert_eq!(
        read.services.iter().map(|s| s.id).collect::<Vec<_>>(),
        ["a", "b"],
        "in the order of their ids"
    );
    let services = read.services.to_vec();
    assert_eq!(services[1].properties["http"], "http://h:1");
}

/// Scalars are converted to strings as in Jackson's string deserializer: numbers keep their source
/// text.
#[test]
fn scalars_keep_their_text() {
    for (json, text) in [
        ("1", "1"),
        ("1.5", "1.5"),
        ("1.50", "1.50"),
        ("-0", "-0"),
        ("1e3", "1e3"),
        ("1E+300", "1E+300"),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
        ("true", "true"),
        ("false", "false"),
        (r#""""#, ""),
        (r#""\u00e9\ud83d\ude00""#, "é😀"),
        (r#""\u0000""#, "\0"),
    ] {
        assert_eq!(property(json).as_deref(), Ok(text), "{json}");
    }
    let read = read(
        r#"{"environment":"test","pool":7,"location":false,"services":[
            {"id":"i","type":1.0,"properties":{}}]}"#,
    );
    let read = read.unwrap();
    assert_eq!(
        (
            &*read.pool,
            &*read.location,
            &*read.services.to_vec()[0].service_type
        ),
        ("7", "false", "1.0")
    );
}

/// An error names the wrong field, in one line.
#[test]
fn wrong_fields_are_named() {
    for (body, line) in [
        ("", "the body is empty"),
        (" \n", "the body is empty"),
        ("null", "the body is null, not a JSON object"),
        ("[]", "the body is an array, not a JSON object"),
        ("\"x\"", "the body is a string, not a JSON object"),
        (
            "{nope",
            "the body is not JSON: key must be a string at line 1 column 2",
        ),
        (r#"{"environment":"test","services":[]}"#, "pool is missing"),
        (
            r#"{"environment":"test","pool":null,"services":[]}"#,
            "pool is missing",
        ),
        (
            r#"{"environment":"test","pool":"p"}"#,
            "services is missing",
        ),
        (
            r#"{"environment":"test","pool":"p","services":{}}"#,
            "services is an object, not an array",
        ),
        (
            r#"{"environment":"test","pool":"p","services":""}"#,
            "services is a string, not an array",
        ),
        (
            r#"{"environment":"test","pool":"p","services":[null]}"#,
            "services[0] is null, not an object",
        ),
        (
            r#"{"environment":"test","pool":"p","services":["a"]}"#,
            "services[0] is a string, not an object",
        ),
        (
            r#"{"environment":"test","pool":["p"],"services":[]}"#,
            "pool is an array, not a string, a number or a boolean",
        ),
        (
            r#"{"environment":"test","pool":"p","location":{},"services":[]}"#,
            "location is an object, not a string, a number or a boolean",
        ),
    ] {
        assert_eq!(read(body).unwrap_err(), line, "{body}");
    }
    for (json, line) in [
        (
            r#"{"type":"x","properties":{}}"#,
            "services[0].id is missing",
        ),
        (
            r#"{"id":null,"type":"x","properties":{}}"#,
            "services[0].id is missing",
        ),
        (
            r#"{"id":"","type":"x","properties":{}}"#,
            "services[0].id is empty",
        ),
        (
            r#"{"id":7,"type":"x","properties":{}}"#,
            "services[0].id is a number, not a string",
        ),
        (
            r#"{"id":"i","properties":{}}"#,
            "services[0].type is missing",
        ),
        (
            r#"{"id":"i","type":"x"}"#,
            "services[0].properties is missing",
        ),
        (
            r#"{"id":"i","type":"x","properties":[]}"#,
            "services[0].properties is an array, not an object",
        ),
        (
            r#"{"id":"i","type":"x","properties":{"a":{}}}"#,
            "services[0].properties.a is an object, not a string, a number or a boolean",
        ),
        (
            r#"{"id":"i","type":"x","properties":{"a\nb":null}}"#,
            "services[0].properties.a\\nb is null",
        ),
    ] {
        assert_eq!(service(json).unwrap_err(), line, "{json}");
    }
}

/// A different or missing environment is refused with airlift's own text. As in airlift, this error
/// takes precedence over missing fields.
#[test]
fn environment_mismatch_is_airlifts_text() {
    for (body, provided) in [
        (r#"{"environment":"prod","pool":"p","services":[]}"#, "prod"),
        (r#"{"environment":"prod"}"#, "prod"),
        (r#"{"pool":"p","services":[]}"#, "null"),
        (r#"{"environment":1}"#, "1"),
        (r#"{"environment":"a\r\nb"}"#, "a\\r\\nb"),
    ] {
        assert_eq!(
            read(body).unwrap_err(),
            format!("Environment mismatch. Expected: test, Provided: {provided}")
        );
    }
}

/// The last of several services with the same id wins, and so does the last of several equal keys.
#[test]
fn the_last_one_wins() {
    let read = read(
        r#"{"environment":"prod","pool":"p","environment":"test","services":[
            {"id":"i","type":"a","properties":{}},{"id":"j","type":"b","properties":{}},
            {"id":"i","type":"c","type":"d","properties":{"k":1,"k":2}}]}"#,
    )
    .unwrap();
    let services: Vec<_> = read
        .services
        .iter()
        .map(|s| (s.id, s.service_type))
        .collect();
    assert_eq!(services, [("i", "d"), ("j", "b")]);
    assert_eq!(read.services.to_vec()[0].properties["k"], "2");
}

/// Without a location, or with a null one, the location is airlift's default.
#[test]
fn missing_location() {
    for location in ["", r#""location":null,"#] {
        let body = format!(r#"{{{ENVIRONMENT},{location}"pool":"p","services":[]}}"#);
        assert_eq!(read(&body).unwrap().location, "/somewhere/w1");
    }
}

/// The default location of a node whose id is as long as it may be does not exceed the limit.
#[test]
fn the_default_location_is_within_the_limit() {
    for (bytes, expected) in [(1_013, 1_024), (1_014, 10), (1_024, 10)] {
        let body = format!(r#"{{{ENVIRONMENT},"pool":"p","services":[]}}"#);
        let id = "n".repeat(bytes);
        let read = Announcement::from_json(&id, body.as_bytes(), "test").expect("it is taken");
        assert_eq!(read.location.len(), expected, "{bytes}");
    }
}

/// A byte order mark is skipped and data after the JSON of the body is ignored, as in Jackson.
#[test]
fn jackson_is_lenient_here() {
    let body = format!("\u{feff} {{{ENVIRONMENT},\"pool\":\"p\",\"services\":[]}} {{ more");
    assert!(read(&body).is_ok());
}

/// Invalid text is refused. It is never accepted in part and never causes a panic.
#[test]
fn broken_text_is_refused() {
    let refused = Announcement::from_json("w1", b"{\"environment\":\"\xff\"}", "test").unwrap_err();
    assert_eq!(refused.to_string(), "the body is not UTF-8: byte 16");
    for json in [
        r#""\ud800""#,
        r#""\ud800x""#,
        r#""\udc00""#,
        r#""\ud800\u0041""#,
    ] {
        let line = property(json).unwrap_err();
        assert!(
            line.starts_with("services[0].properties.a is not a string: "),
            "{line}"
        );
    }
    assert!(
        property("\"\u{1}\"")
            .unwrap_err()
            .starts_with("the body is not JSON: control character")
    );
    let key = service(r#"{"id":"i","type":"t","properties":{"\ud800":1}}"#).unwrap_err();
    assert!(
        key.starts_with("services[0].properties has an invalid key: "),
        "{key}"
    );
}

/// Nesting is counted in ignored fields too, but not in strings.
#[test]
fn deep_nesting_is_refused() {
    let body = |depth: usize, text: &str| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{{ENVIRONMENT},"pool":"p","services":[],"x":{open}{text}{close}}}"#)
    };
    assert!(read(&body(MAX_NESTING, "1")).is_ok());
    assert_eq!(
        read(&body(MAX_NESTING + 1, "1")).unwrap_err(),
        "the body is nested deeper than 64"
    );
    assert!(read(&body(MAX_NESTING, r#""[[\"[[""#)).is_ok());
    assert!(read(&"[".repeat(1_000_000)).is_err());
}

/// The length of names is limited, and the error names the field and the limit.
#[test]
fn long_names_are_refused() {
    let (fits, long) = ("n".repeat(MAX_NAME_BYTES), "n".repeat(MAX_NAME_BYTES + 1));
    let with = |node: &str, pool: &str, id: &str, service_type: &str| {
        let body = format!(
            r#"{{{ENVIRONMENT},"pool":"{pool}","services":[
                {{"id":"{id}","type":"{service_type}","properties":{{}}}}]}}"#
        );
        Announcement::from_json(node, body.as_bytes(), "test")
            .map(drop)
            .map_err(|e| e.to_string())
    };
    assert_eq!(with(&fits, &fits, &fits, &fits), Ok(()));
    let refused = |field: &str| Err(format!("{field} has 1025 bytes; the limit is 1024"));
    assert_eq!(with(&long, "p", "i", "t"), refused("node id"));
    assert_eq!(with("w", &long, "i", "t"), refused("pool"));
    assert_eq!(with("w", "p", &long, "t"), refused("services[0].id"));
    assert_eq!(with("w", "p", "i", &long), refused("services[0].type"));
    assert_eq!(with("", "p", "i", "t"), Err("node id is empty".to_owned()));
}

/// The number of properties and the length of texts with escapes are limited; texts without escapes
/// may be long.
#[test]
fn what_would_take_much_memory_is_refused() {
    let many = |count: usize| {
        let properties: Vec<String> = (0..count).map(|i| format!("\"{i}\":1")).collect();
        let properties = properties.join(",");
        service(&format!(
            r#"{{"id":"i","type":"t","properties":{{{properties}}}}}"#
        ))
    };
    assert_eq!(many(16_384).map(|s| s.properties.len()), Ok(16_384));
    assert_eq!(
        many(16_385),
        Err("services[0].properties has more than 16384 entries".to_owned())
    );
    let long = "x".repeat(100_000);
    assert_eq!(property(&format!("\"{long}\"")), Ok(long.clone()));
    assert_eq!(
        property(&format!("\"{long}\\n\"")),
        Err(
            "services[0].properties.a has 100004 bytes; the limit for a string with escapes is \
             32768"
                .to_owned()
        )
    );
}

/// A property with an invalid value is refused, even if its key is repeated with a valid one.
#[test]
fn a_wrong_property_is_refused_though_its_key_comes_again() {
    let twice = |value: &str| {
        service(&format!(
            r#"{{"id":"i","type":"t","properties":{{"k":{value},"k":"x"}}}}"#
        ))
    };
    assert!(twice("1").is_ok());
    assert_eq!(
        twice("null"),
        Err("services[0].properties.k is null".to_owned())
    );
    assert!(
        twice("{}").is_err_and(|line| line.starts_with("services[0].properties.k is an object"))
    );
}

/// A static service is parsed and rendered as in airlift.
#[test]
fn statics() {
    let read = |body: &str| {
        StaticService::from_json("s1", body.as_bytes(), "test").map_err(|e| e.to_string())
    };
    let whole = read(concat!(
        r#"{"environment":"test","type":"st","pool":"red","location":"/a/b","#,
        r#""properties":{"http":"http://host"}}"#
    ));
    assert_eq!(
        String::from_utf8(whole.unwrap().to_json()).unwrap(),
        concat!(
            r#"{"id":"s1","type":"st","pool":"red","location":"/a/b","#,
            r#""properties":{"http":"http://host"}}"#,
            "\n"
        )
    );
    let short = read(r#"{"environment":"test","type":"st","pool":"red","properties":{}}"#).unwrap();
    assert_eq!(short.location, "/somewhere/s1");
    for (body, line) in [
        (
            r#"{"environment":"x","type":"st"}"#,
            "Environment mismatch. Expected: test, Provided: x",
        ),
        (
            r#"{"environment":"test","pool":"p","properties":{}}"#,
            "type is missing",
        ),
        (
            r#"{"environment":"test","type":"t","properties":{}}"#,
            "pool is missing",
        ),
        (
            r#"{"environment":"test","type":"t","pool":"p"}"#,
            "properties is missing",
        ),
        (
            r#"{"environment":"test","type":"t","pool":"p","properties":{"a":null}}"#,
            "properties.a is null",
        ),
    ] {
        assert_eq!(read(body).unwrap_err(), line);
    }
}

/// The digest depends on the parsed form only: not on white space, key order, the notation of equal
/// scalars or the order of services.
#[test]
fn digest_is_of_the_parsed_form() {
    let digest = |body: &str| read(body).unwrap().digest();
    let one = digest(concat!(
        r#"{"environment":"test","pool":"p","location":"/l","services":["#,
        r#"{"id":"i","type":"t","properties":{"a":"1","b":"x"}},"#,
        r#"{"id":"j","type":"t","properties":{}}]}"#
    ));
    let same = digest(concat!(
        r#"{ "services":[{"properties":{},"type":"t","id":"j"},"#,
        r#"{"properties":{"b":"\u0078","a":1},"type":"t","id":"i"}], "#,
        r#""location":"/l", "new":0, "pool":"p", "environment":"test" }"#
    ));
    let other = digest(concat!(
        r#"{"environment":"test","pool":"p","location":"/l","services":["#,
        r#"{"id":"i","type":"t","properties":{"a":"1","bx":""}},"#,
        r#"{"id":"j","type":"t","properties":{}}]}"#
    ));
    assert_eq!(one, same);
    assert_ne!(one, other);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No input causes a panic, and an error is always one line.
    #[test]
    fn any_bytes(
        body in prop::collection::vec(any::<u8>(), 0..200),
        json in "[{\\[\"a:1,\\]} \\\\u]{0,60}",
    ) {
        for body in [&*body, json.as_bytes()] {
            if let Err(e) = Announcement::from_json("w1", body, "test") {
                prop_assert!(!e.to_string().contains(['\n', '\r']));
            }
        }
    }

    /// Any text is preserved in both directions. Our parser reads the text that another JSON writer
    /// wrote, and another JSON reader reads the text that our writer wrote.
    #[test]
    fn any_text(text in any::<String>()) {
        prop_assert_eq!(property(&serde_json::to_string(&text).unwrap()), Ok(text.clone()));
        let mut json = Vec::new();
        write_json_string(&mut json, &text);
        prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
    }
}
