//! Tests of configuration files that a node refuses at its start, and of the messages.

use crate::support::etc::{ENVIRONMENT, Etc, inventory_of, write};
use crate::support::node::Node;
use crate::support::ports;
use quorate::config::exit_code;
use serde_json::json;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Starts a node with spoiled files and returns its output. The node must exit with one of the
/// `codes`, print no stack trace, and print every text of `says`.
fn refused(what: &str, codes: &[u8], spoil: impl FnOnce(&mut Etc), says: &[&str]) -> String {
    let dir = TempDir::new().expect("a temporary directory");
    let port = ports::free();
    let etc = Etc {
        dir: dir.path().to_owned(),
        node_id: "quorate-1".to_owned(),
        port,
        settings: Vec::new(),
        inventory: vec![("quorate-1".to_owned(), port)],
    };
    let mut node = Node::new(etc);
    spoil(&mut node.etc);
    node.start();
    let status = node.ended(what);
    let said = node.log();
    assert!(
        status
            .code()
            .is_some_and(|code| codes.iter().any(|given| i32::from(*given) == code)),
        "{what}: {status}, {said}"
    );
    for word in says {
        assert!(
            said.contains(word),
            "{what}: not named: {word:?} in\n{said}"
        );
    }
    for trace in ["panicked at", "RUST_BACKTRACE", "stack backtrace"] {
        assert!(!said.contains(trace), "{what}: {said}");
    }
    said
}

fn config_refused(what: &str, spoil: impl FnOnce(&mut Etc), says: &[&str]) -> String {
    refused(what, &[exit_code::CONFIG], spoil, says)
}

fn inventory_refused(what: &str, spoil: impl FnOnce(&mut Etc), says: &[&str]) -> String {
    let codes = [exit_code::INVENTORY, exit_code::INVENTORY_UNREACHABLE];
    refused(what, &codes, spoil, says)
}

/// Replaces the contents of a file in etc/.
fn with_file(name: &'static str, text: &str) -> impl FnOnce(&mut Etc) + use<> {
    let text = text.to_owned();
    move |etc: &mut Etc| write(&etc.etc_dir().join(name), &text)
}

/// Appends lines to config.properties.
fn with_lines(lines: &str) -> impl FnOnce(&mut Etc) + use<> {
    let lines = lines.to_owned();
    move |etc: &mut Etc| {
        let path = etc.etc_dir().join("config.properties");
        let text = fs::read_to_string(&path).expect("it was written");
        write(&path, &(text + &lines + "\n"));
    }
}

/// Replaces the inventory.
fn with_inventory(inventory: impl std::fmt::Display) -> impl FnOnce(&mut Etc) {
    with_file("service-inventory.json", &inventory.to_string())
}

fn without(name: &'static str) -> impl FnOnce(&mut Etc) + use<> {
    move |etc: &mut Etc| fs::remove_file(etc.etc_dir().join(name)).expect("it was written")
}

/// Replaces a file by a directory, which cannot be read as a file, not even by root.
fn unreadable(name: &'static str) -> impl FnOnce(&mut Etc) + use<> {
    move |etc: &mut Etc| {
        let path = etc.etc_dir().join(name);
        fs::remove_file(&path).expect("it was written");
        fs::create_dir(&path).expect("a temporary directory");
    }
}

/// A missing, unreadable or malformed file is refused at start, with a message that names it.
#[test]
fn a_missing_or_malformed_file_is_refused_by_name() {
    config_refused(
        "no etc",
        |etc| fs::remove_dir_all(etc.etc_dir()).expect("it was written"),
        &["etc"],
    );
    config_refused(
        "no config",
        without("config.properties"),
        &["config.properties"],
    );
    config_refused(
        "unreadable config",
        unreadable("config.properties"),
        &["config.properties"],
    );
    config_refused(
        "unreadable node.properties",
        unreadable("node.properties"),
        &["node.properties"],
    );
    config_refused(
        "malformed config",
        with_lines("discovery.max-age=\\u12"),
        &["config.properties"],
    );
    config_refused(
        "config that is not text",
        |etc| {
            fs::write(
                etc.etc_dir().join("config.properties"),
                [0xff, 0xfe, 0x00, b'=', 0x80],
            )
            .expect("it was written")
        },
        &["config.properties"],
    );
    inventory_refused(
        "no inventory file",
        without("service-inventory.json"),
        &["service-inventory.json"],
    );
    inventory_refused(
        "unreadable inventory",
        unreadable("service-inventory.json"),
        &["service-inventory.json"],
    );
    inventory_refused(
        "inventory that is not JSON",
        with_inventory("{nope"),
        &["service-inventory.json"],
    );
    inventory_refused(
        "inventory of another shape",
        with_inventory("[1, 2]"),
        &["service-inventory.json"],
    );
    inventory_refused(
        "empty inventory file",
        with_inventory(""),
        &["service-inventory.json"],
    );
}

/// A node with invalid keys and values refuses to start and reports all errors at once. It uses
/// airlift's messages where airlift has them.
#[test]
fn bad_keys_and_values_are_refused_all_at_once() {
    config_refused(
        "unknown key",
        with_lines("discovery.maxage=3s"),
        &["Configuration property 'discovery.maxage' was not used"],
    );
    config_refused(
        "unknown key of ours",
        with_lines("cluster.nope=1"),
        &["'cluster.nope' was not used"],
    );
    config_refused(
        "bad duration",
        with_lines("discovery.max-age=soon"),
        &["discovery.max-age", "soon"],
    );
    config_refused(
        "negative duration",
        with_lines("discovery.max-age=-3s"),
        &["discovery.max-age"],
    );
    config_refused(
        "duration without a unit",
        with_lines("discovery.max-age=30"),
        &["discovery.max-age"],
    );
    config_refused(
        "bad port",
        with_lines("http-server.http.port=none"),
        &["http-server.http.port"],
    );
    config_refused(
        "port out of range",
        with_lines("http-server.http.port=70000"),
        &["http-server.http.port"],
    );
    config_refused(
        "unset variable",
        with_lines("discovery.max-age=${ENV:QUORATE_TEST_UNSET}"),
        &["QUORATE_TEST_UNSET"],
    );
    config_refused(
        "TLS that is not built",
        with_lines("http-server.https.enabled=true"),
        &["http-server.https.enabled"],
    );
    config_refused(
        "three errors",
        with_lines("discovery.max-age=soon\nnot.a.key=1\nneither.is.this=2"),
        &["discovery.max-age", "not.a.key", "neither.is.this"],
    );
    config_refused(
        "no environment",
        with_file("node.properties", "node.id=quorate-1\n"),
        &["node.environment"],
    );
    config_refused(
        "bad environment",
        with_file(
            "node.properties",
            "node.id=quorate-1\nnode.environment=Not Good\n",
        ),
        &["node.environment"],
    );
}

/// An invalid `node.id` is refused: empty, with invalid characters, or 10 kB long.
#[test]
fn a_bad_node_id_is_refused() {
    let with_id = |id: &str| {
        with_file(
            "node.properties",
            &format!("node.environment={ENVIRONMENT}\nnode.id={id}\n"),
        )
    };
    config_refused("empty", with_id(""), &["node.id"]);
    config_refused("characters", with_id("a/b"), &["node.id"]);
    let said = config_refused("10 kB", with_id(&"x".repeat(10_000)), &["node.id"]);
    assert!(said.len() < 5_000, "the error repeats 10 kB");
}

/// An inventory that cannot seed a group is refused, with the entry at fault.
#[test]
fn an_inventory_that_cannot_seed_a_group_is_refused() {
    let nodes = |names: &[&str]| -> Vec<(String, u16)> {
        names
            .iter()
            .zip(2u16..)
            .map(|(name, port)| ((*name).to_owned(), port))
            .collect()
    };
    inventory_refused(
        "not in it",
        with_inventory(inventory_of(&nodes(&["quorate-8", "quorate-9"]))),
        &["quorate-1"],
    );
    inventory_refused(
        "a duplicate",
        with_inventory(inventory_of(&nodes(&[
            "quorate-1",
            "quorate-2",
            "quorate-2",
        ]))),
        &["quorate-2"],
    );
    let mut other = inventory_of(&nodes(&["quorate-1"]));
    other["environment"] = json!("production");
    inventory_refused(
        "another environment",
        with_inventory(other),
        &["production", ENVIRONMENT],
    );
    let mut bare = inventory_of(&nodes(&["quorate-1", "quorate-2"]));
    bare["services"][1]["properties"] = json!({});
    inventory_refused("no address", with_inventory(bare), &["quorate-2"]);
    let mut odd = inventory_of(&nodes(&["quorate-1", "quorate-2"]));
    odd["services"][1]["properties"]["http"] = json!("not a url");
    inventory_refused("a bad address", with_inventory(odd), &["quorate-2"]);
}

/// Settings of airlift that have no effect here are accepted: a directory that starts airlift, with
/// unknown logger names and the JVM's file, starts quorate.
#[test]
fn what_airlift_accepts_is_accepted() {
    let mut cluster = crate::support::Cluster::prepare(1, crate::support::Options::default());
    let node = &mut cluster.nodes[0];
    with_lines(
        "discovery.store-cache-ttl=0s\ndynamic.store.gc-interval=1h\n\
         jmx.rmiregistry.port=0\nhttp-server.threads.max=50",
    )(&mut node.etc);
    with_file("log.properties", "io.airlift=DEBUG\norg.nowhere=ERROR\n")(&mut node.etc);
    node.start();
    node.wait_serving(crate::support::cluster::FORM_LIMIT);
    assert!(Path::new(&node.etc.data_dir()).is_dir());
    let said = node.log();
    assert!(
        said.contains("dynamic.store.gc-interval"),
        "said once that it has no effect: {said}"
    );
}
