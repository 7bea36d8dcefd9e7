use super::entries::Inventory;
use super::limits::{
    ADDRESS_BYTES_MAX, INVENTORY_BYTES_MAX, MEMBERS_MAX, NODE_ID_BYTES_MAX, is_node_id,
};
use super::parse::canonical_address;

const TWO: &str = r#"{"environment": "test", "services": [
  {"id": "C8A9EE64-0476-452C-8638-8E72F3EE3CA6", "nodeId": "597A741E-9968-40E2-BB4D-7AF26DE18689",
   "type": "discovery", "pool": "general", "location": "/172.17.31.245", "state": "RUNNING",
   "properties": {"http": "http://172.17.31.245:8411"}},
  {"id": "370AF416-5F44-47D3-BFB6-D93A92676D49", "nodeId": "0BA42FDB-5DBA-4A2C-BE26-9596B7B4368E",
   "type": "discovery", "pool": "general", "location": "/172.17.31.246", "state": "RUNNING",
   "properties": {"http": "http://172.17.31.246:8411"}}]}"#;

fn problem(text: &str) -> String {
    Inventory::parse(text.as_bytes(), "inventory.json")
        .expect_err("must be refused")
        .to_string()
}

fn one(properties: &str) -> String {
    format!(
        r#"{{"environment":"test","services":[
            {{"nodeId":"a","type":"discovery","properties":{properties}}}]}}"#
    )
}

/// The file of airlift's own two-node example is read, sorted by node id.
#[test]
fn reads_airlifts_example() {
    let inventory = Inventory::parse(TWO.as_bytes(), "f").expect("valid");
    assert_eq!(inventory.environment, "test");
    let addresses: Vec<_> = inventory
        .entries
        .iter()
        .map(|entry| entry.address.as_str())
        .collect();
    assert_eq!(
        addresses,
        ["http://172.17.31.246:8411", "http://172.17.31.245:8411"]
    );
    let own = inventory
        .own("597A741E-9968-40E2-BB4D-7AF26DE18689")
        .expect("listed");
    assert_eq!(own.address, "http://172.17.31.245:8411");
    assert_eq!(own.port(), Some(8411));
    assert_eq!(inventory.peers(&own.node_id).count(), 1);
    assert!(inventory.require_environment("test").is_ok());
}

/// The digest depends on the set of nodes and on the environment, but not on order, addresses or
/// other services.
#[test]
fn digest_is_of_ids_and_environment() {
    let text =
        |env: &str, services: &str| format!(r#"{{"environment":"{env}","services":[{services}]}}"#);
    let node = |id: &str, port: u16| {
        format!(
            r#"{{"nodeId":"{id}","type":"discovery","properties":{{"http":"http://h:{port}"}}}}"#
        )
    };
    let digest = |text: String| {
        Inventory::parse(text.as_bytes(), "f")
            .expect("valid")
            .digest()
    };
    let base = digest(text("test", &format!("{},{}", node("a", 1), node("b", 2))));
    assert_eq!(
        base,
        digest(text(
            "test",
            &format!(r#"{},{},{{"type":"x"}}"#, node("b", 9), node("a", 8))
        ))
    );
    assert_ne!(
        base,
        digest(text("prod", &format!("{},{}", node("a", 1), node("b", 2))))
    );
    assert_ne!(base, digest(text("test", &node("a", 1))));
    assert_ne!(
        base,
        digest(text("test", &format!("{},{}", node("a", 1), node("c", 2))))
    );
    assert_ne!(
        digest(text("t", &node("ab", 1))),
        digest(text("ta", &node("b", 1)))
    );
}

/// Addresses are normalized to one spelling, so that they can be compared.
#[test]
fn addresses_are_normalized() {
    let cases = [
        (
            "http://Node1.Example.NET:8411/",
            "http://node1.example.net:8411",
        ),
        ("http://node1", "http://node1:80"),
        ("http://[::1]:8411", "http://[::1]:8411"),
        ("http://[::1]", "http://[::1]:80"),
        (
            "http://[2001:DB8:0:0:0:0:0:1]:8411/",
            "http://[2001:db8::1]:8411",
        ),
        ("http://[::ffff:10.0.0.1]:8411", "http://10.0.0.1:8411"),
        ("http://[::FFFF:A00:1]:8411", "http://10.0.0.1:8411"),
        ("http://node_1:8411", "http://node_1:8411"),
    ];
    for (written, read) in cases {
        assert_eq!(
            canonical_address(written, "http").as_deref(),
            Ok(read),
            "{written}"
        );
    }
    for bad in [
        "http://h:0",
        "http://h:70000",
        "http://h:",
        "http://u@h:1",
        "http://h:1/path",
        "ftp://h:1",
        "h:1",
        "",
        "http://",
        "http://::1:8411",
        "http://[::1:8411",
        "http://[fe80::1%25eth0]:8411",
        "http://[10.0.0.1]:8411",
        "http://[h]:8411",
    ] {
        assert!(
            canonical_address(bad, "http").is_err(),
            "{bad} must be refused"
        );
    }
}

/// A byte order mark at the beginning, as written by editors on Windows, is skipped. A mark of
/// another encoding is refused with the encoding's name. A mark elsewhere is part of the text.
#[test]
fn byte_order_marks() {
    let inventory = Inventory::parse(TWO.as_bytes(), "f").expect("valid");
    let marked = format!("\u{feff}{TWO}");
    assert_eq!(Inventory::parse(marked.as_bytes(), "f"), Ok(inventory));
    assert_eq!(problem("\u{feff}"), "inventory.json: is empty");
    assert_eq!(problem("\u{feff} \n"), "inventory.json: is empty");
    assert!(problem("\u{feff}\u{feff}{}").contains("is not JSON"));
    for (bytes, name) in [
        (&b"\xff\xfe{\0"[..], "UTF-16"),
        (b"\xfe\xff\0{", "UTF-16"),
        (b"\xff\xfe\0\0{\0\0\0", "UTF-32"),
        (b"\0\0\xfe\xff\0\0\0{", "UTF-32"),
    ] {
        let error = Inventory::parse(bytes, "f").expect_err("another encoding");
        assert_eq!(error.to_string(), format!("f: is {name}: save it as UTF-8"));
    }
}

/// Every error names the file, the entry and the field.
#[test]
fn refusals_name_entry_and_field() {
    let cases = [
        (String::new(), "inventory.json: is empty"),
        (
            "{".into(),
            "inventory.json: is not JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            "[]".into(),
            "inventory.json: the file: must be a JSON object",
        ),
        (
            r#"{"services":[]}"#.into(),
            "inventory.json: environment: must be a string",
        ),
        (
            r#"{"environment":"test"}"#.into(),
            "inventory.json: services: must be an array",
        ),
        (
            r#"{"environment":"test","services":[]}"#.into(),
            "inventory.json: has no service of type `discovery`",
        ),
        (
            r#"{"environment":"test","services":[7]}"#.into(),
            "inventory.json: services[0]: the entry: must be a JSON object",
        ),
        (
            r#"{"environment":"test","services":[{"nodeId":"a"}]}"#.into(),
            "inventory.json: services[0] (nodeId a): type: must be a string",
        ),
        (
            r#"{"environment":"test","services":[{"type":"discovery"}]}"#.into(),
            "inventory.json: services[0]: nodeId: must be a string",
        ),
        (
            one("{}"),
            "inventory.json: services[0] (nodeId a): properties.http: \
             is missing: the node has no address",
        ),
        (
            one(r#"{"http":1}"#),
            "inventory.json: services[0] (nodeId a): properties.http: must be a string",
        ),
        (
            one(r#"{"https":"http://h:1"}"#),
            "inventory.json: services[0] (nodeId a): properties.https: \
             `http://h:1` must start with https://",
        ),
        (
            one(r#"{"https":1}"#),
            "inventory.json: services[0] (nodeId a): properties.https: must be a string",
        ),
        (
            one(r#"{"http":"https://h:1"}"#),
            "inventory.json: services[0] (nodeId a): properties.http: \
             `https://h:1` must start with http://",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(problem(&text), message);
    }
}

/// Two nodes with the same id or address are refused, because they would be mistaken for one.
#[test]
fn duplicates_are_refused() {
    let both = |a: &str, b: &str, port: u16| {
        problem(&format!(
            r#"{{"environment":"t","services":[
            {{"nodeId":"{a}","type":"discovery","properties":{{"http":"http://h:1"}}}},
            {{"nodeId":"{b}","type":"discovery","properties":{{"http":"http://h:{port}"}}}}]}}"#
        ))
    };
    assert_eq!(
        both("a", "a", 2),
        "inventory.json: services[0] and services[1] have the same nodeId a"
    );
    assert_eq!(
        both("a", "b", 1),
        "inventory.json: services[0] and services[1] have the same address http://h:1"
    );
}

/// A node id that is empty, too long or has invalid characters is refused. The error does not
/// repeat all of a long id.
#[test]
fn node_ids_are_checked() {
    assert!(is_node_id("597A741E-9968_x"));
    for bad in [
        "",
        "-a",
        "_a",
        "a b",
        "ä",
        &"a".repeat(NODE_ID_BYTES_MAX + 1),
    ] {
        assert!(!is_node_id(bad), "{bad} must be refused");
    }
    let long = "a".repeat(10_000);
    let text = format!(
        r#"{{"environment":"t","services":[
            {{"nodeId":"{long}","type":"discovery","properties":{{}}}}]}}"#
    );
    assert!(problem(&text).len() < 300);
}

/// An inventory for another environment is refused with an error that names both environments. An
/// inventory without this node is refused with an error that names the node and the listed ids.
#[test]
fn strangers_are_refused() {
    let inventory =
        Inventory::parse(one(r#"{"http":"http://h:1"}"#).as_bytes(), "f").expect("valid");
    let error = inventory
        .require_environment("prod")
        .expect_err("another environment")
        .to_string();
    assert_eq!(
        error,
        "f: environment: is `test`, but node.environment is `prod`"
    );
    let error = inventory.own("b").expect_err("not listed").to_string();
    assert_eq!(
        error,
        "f: has no service of type `discovery` with nodeId b (node.id); it lists a"
    );
}

/// A file beyond the limits is refused before it is parsed.
#[test]
fn limits_hold() {
    assert_eq!(
        problem(&" ".repeat(INVENTORY_BYTES_MAX + 1)),
        "inventory.json: is larger than 1048576 bytes"
    );
    let node = |i| {
        format!(
            r#"{{"nodeId":"n{i}","type":"discovery","properties":{{"http":"http://h:{}"}}}}"#,
            i + 1
        )
    };
    let nodes: Vec<_> = (0..=MEMBERS_MAX).map(node).collect();
    let text = format!(r#"{{"environment":"t","services":[{}]}}"#, nodes.join(","));
    assert_eq!(
        problem(&text),
        "inventory.json: has 65 services of type `discovery`; at most 64 are allowed"
    );
}

/// The length of an address is limited, since addresses are stored in the log and in every
/// snapshot.
#[test]
fn an_address_has_an_end() {
    let of = |bytes: usize| {
        let host = "h".repeat(bytes - "http://:8411".len());
        one(&format!(r#"{{"http": "http://{host}:8411"}}"#))
    };
    let longest = Inventory::parse(of(ADDRESS_BYTES_MAX).as_bytes(), "f").expect("valid");
    assert_eq!(longest.entries[0].address.len(), ADDRESS_BYTES_MAX);
    let refused = problem(&of(ADDRESS_BYTES_MAX + 1));
    assert!(refused.contains("properties.http"), "{refused}");
    assert!(refused.contains("at most 512 bytes"), "{refused}");
}
