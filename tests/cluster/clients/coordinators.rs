//! Tests of coordinator announcements, the coordinator lookup and its watchers, and the inventory.

use crate::support::events::Events;
use crate::support::http::{Response, request};
use crate::support::node::Node;
use crate::support::{Cluster, Options, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

const WATCHERS: usize = 300;
/// The size of one event in bytes. Separate copies for all watchers would take 270 MB.
const LARGE_BYTES: usize = 900_000;
/// Maximum growth of a node's memory while many watchers receive one large event. The growth
/// includes the announcement, its renderings, and data that is read but not yet sent.
const WATCHED_LIMIT_KB: u64 = 40_000;

/// Announces a coordinator in the way Trino does, with the service ids of its process.
fn announce(node: &Node, node_id: &str, uri: &str) {
    let service = |kind: &str, coordinator: &str| {
        json!({"id": format!("{kind}-{node_id}-{uri}"), "type": kind,
            "properties": {"http": uri, "http-external": uri, "coordinator": coordinator}})
    };
    let body = json!({"environment": "test", "nodeId": node_id, "pool": "general",
        "location": format!("/{node_id}"),
        "services": [service("trino", "true"), service("trino-coordinator", "")]});
    let path = format!("/v1/announcement/{node_id}");
    let answer = request(
        node.address(),
        "PUT",
        &path,
        Some(&body.to_string()),
        PATIENCE,
    );
    assert_eq!(answer.expect("an answer").status, 202);
}

/// Looks up the coordinator on a node.
fn coordinator(node: &Node) -> Response {
    node.get("/v1/coordinator").expect("an answer")
}

/// A coordinator that moves is found at once, although its dead predecessor is still listed. Every
/// node returns the coordinator that joined last, and redirects SQL clients to that coordinator.
/// The watchers on every node have been notified. A change of leader does not change the answers.
#[test]
fn a_coordinator_that_moves_is_found_at_once() {
    let mut cluster = Cluster::start(3, Options::max_age("10m"));
    for node in &cluster.nodes {
        assert_eq!(coordinator(node).status, 503);
    }
    let mut followers: Vec<Events> = cluster
        .nodes
        .iter()
        .map(|node| {
            let path = "/v1/coordinator?watch&engine=trino";
            Events::open(node.address(), path, None, PATIENCE).expect("a stream")
        })
        .collect();
    for follower in &mut followers {
        let none = follower.named(PATIENCE).expect("an event");
        assert_eq!(none.name.as_deref(), Some("none"));
    }
    for (i, uri) in ["http://10.0.0.1:8080", "http://10.0.0.2:8080"]
        .iter()
        .enumerate()
    {
        announce(&cluster.nodes[i], &format!("c{i}"), uri);
        for (node, follower) in cluster.nodes.iter().zip(&mut followers) {
            assert_eq!(coordinator(node).body, format!("{uri}\n"));
            let event = follower.named(PATIENCE).expect("an event");
            assert_eq!(event.data["uri"], *uri);
            let led = request(
                node.address(),
                "POST",
                "/v1/statement",
                Some("select 1"),
                PATIENCE,
            )
            .expect("an answer");
            assert_eq!(
                (led.status, &led.headers["location"]),
                (307, &format!("{uri}/v1/statement"))
            );
        }
    }
    let leader = cluster.leader();
    cluster.nodes[leader].kill9();
    cluster.leader_other_than(Some(leader));
    for i in cluster.others(leader) {
        until("the node serves", PATIENCE, || {
            let answer = coordinator(&cluster.nodes[i]);
            (answer.status == 200).then(|| assert_eq!(answer.body, "http://10.0.0.2:8080\n"))
        });
    }
}

/// Returns the addresses in a node's inventory.
fn inventory(node: &Node, path: &str) -> BTreeSet<String> {
    let answer = node.get(path).expect("an answer");
    assert_eq!(answer.status, 200);
    let inventory: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(inventory["environment"], "test");
    let services = inventory["services"].as_array().expect("services");
    services
        .iter()
        .map(|service| {
            assert_eq!(
                (&service["type"], &service["state"]),
                (&json!("discovery"), &json!("RUNNING"))
            );
            service["properties"]["http"]
                .as_str()
                .expect("an address")
                .to_owned()
        })
        .collect()
}

/// The inventory lists every other healthy member and no unhealthy member. With `?all`, the node
/// itself is listed too. Both paths of the inventory give the same result. A node without a quorum
/// still returns an inventory, but does not list itself.
#[test]
fn the_inventory_lists_who_is_well() {
    let mut cluster = Cluster::start(3, Options::default());
    let all: BTreeSet<String> = cluster.nodes.iter().map(Node::url).collect();
    let without = |gone: &[usize]| -> BTreeSet<String> {
        let gone: Vec<String> = gone.iter().map(|i| cluster.nodes[*i].url()).collect();
        all.iter()
            .filter(|url| !gone.contains(url))
            .cloned()
            .collect()
    };
    let (two, none) = (without(&[2]), without(&[0, 1, 2]));
    let others = without(&[0]);
    for path in ["/v1/service-inventory", "/v1/serviceInventory"] {
        until("the others are well", PATIENCE, || {
            (inventory(&cluster.nodes[0], path) == others).then_some(())
        });
        let path = &format!("{path}?all");
        until("all are well", PATIENCE, || {
            cluster
                .nodes
                .iter()
                .all(|node| inventory(node, path) == all)
                .then_some(())
        });
    }
    cluster.nodes[2].kill9();
    until("the dead one is not listed", PATIENCE, || {
        (inventory(&cluster.nodes[0], "/v1/service-inventory?all") == two).then_some(())
    });
    cluster.nodes[1].kill9();
    until(
        "a node without a quorum does not list itself",
        PATIENCE,
        || (inventory(&cluster.nodes[0], "/v1/service-inventory") == none).then_some(()),
    );
}

/// A coordinator that restarts as another process under its node id is the newest again. This holds
/// even if another coordinator joined before the restart and is still listed. All nodes agree on
/// the newest coordinator once the feature level of commands is raised. The level is raised after
/// every voter has announced that it supports the level.
#[test]
fn a_coordinator_restarted_under_its_id_is_the_newest() {
    let cluster = Cluster::start(3, Options::max_age("10m"));
    let mut runs = 0;
    until("the level is raised", PATIENCE, || {
        runs += 1;
        let node = &cluster.nodes[runs % 3];
        announce(node, "c1", &format!("http://c1:{runs}0"));
        announce(node, "c2", &format!("http://c2:{runs}1"));
        announce(node, "c1", &format!("http://c1:{runs}2"));
        let back = format!("http://c1:{runs}2\n");
        cluster
            .nodes
            .iter()
            .all(|node| coordinator(node).body == back)
            .then_some(())
    });
}

/// All watchers of the coordinator share one copy of each event. A large event therefore takes
/// memory once, and not once for each watcher.
#[test]
fn watchers_of_a_coordinator_share_what_they_are_sent() {
    let cluster = Cluster::start(3, Options::max_age("10m"));
    let node = &cluster.nodes[0];
    announce(node, "c1", "http://c1:1");
    for path in ["/v1/coordinator?watch", "/v1/watch/trino-coordinator"] {
        let mut watchers: Vec<Events> = (0..WATCHERS)
            .map(|_| Events::open(node.address(), path, None, PATIENCE).expect("a stream"))
            .collect();
        for watcher in &mut watchers {
            watcher.named(PATIENCE).expect("the state");
        }
        let before_kb = node.resident_kb();
        let mut most_kb = 0;
        // The second announcement moves all services to another pool. That is one change with two
        // parts.
        for pool in ["general", "etl"] {
            let body = json!({"environment": "test", "pool": pool, "location": "/c1",
                "services": [{"id": format!("{path}-{pool}"), "type": "trino-coordinator",
                    "properties": {"http": "http://c1:1", "large": "x".repeat(LARGE_BYTES)}}]});
            let put = request(
                node.address(),
                "PUT",
                "/v1/announcement/c1",
                Some(&body.to_string()),
                PATIENCE,
            );
            assert_eq!(put.expect("an answer").status, 202);
            for watcher in &mut watchers {
                watcher.named(PATIENCE).expect("the change");
                most_kb = most_kb.max(node.resident_kb().saturating_sub(before_kb));
            }
        }
        println!("{path}: {most_kb} kB more for {WATCHERS} watchers");
        assert!(most_kb <= WATCHED_LIMIT_KB, "{path}: {most_kb} kB");
        drop(watchers);
        announce(node, "c1", "http://c1:1");
    }
}
