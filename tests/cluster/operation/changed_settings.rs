//! Tests of settings that change between two starts of a node.

use crate::support::cluster::FORM_LIMIT;
use crate::support::{Cluster, Options, ports, until};
use std::fs;
use std::time::Duration;

/// A group whose nodes all move to other ports stays the same group. The addresses of members come
/// from the inventory, and their identities from the log.
#[test]
fn a_group_that_moves_to_other_ports_goes_on() {
    let mut cluster = Cluster::start(3, Options::default());
    cluster.nodes[0].announce_acked("moved", "engine", 1);
    cluster.stop_all();
    let inventory: Vec<(String, u16)> = cluster
        .nodes
        .iter()
        .map(|node| (node.etc.node_id.clone(), ports::free()))
        .collect();
    for (node, (_, port)) in cluster.nodes.iter_mut().zip(&inventory) {
        node.etc.port = *port;
        node.etc.inventory = inventory.clone();
        node.etc.write();
    }
    cluster.start_all();
    cluster.wait_ready();
    for seen in cluster.tokens_everywhere("moved") {
        assert_eq!(seen.get("engine"), Some(&1));
    }
}

/// A member restarts without an inventory, because its log contains the members of the group. The
/// node logs that the inventory is missing, and serves.
#[test]
fn a_member_starts_without_its_inventory() {
    let mut cluster = Cluster::start(3, Options::default());
    cluster.nodes[0].stop();
    fs::remove_file(
        cluster.nodes[0]
            .etc
            .etc_dir()
            .join("service-inventory.json"),
    )
    .expect("it was written");
    cluster.nodes[0].start();
    cluster.nodes[0].wait_ready(FORM_LIMIT);
    assert!(cluster.nodes[0].log().contains("service-inventory.json"));
}

/// Nodes that are restarted one by one with another max-age stay one group with one registry. The
/// nodes cannot disagree about an expiry, because each expiry is decided once, in the log.
#[test]
fn a_rolling_change_of_max_age_stops_nobody() {
    let mut cluster = Cluster::start(3, Options::max_age("2s"));
    cluster.nodes[0].announce_acked("rolling", "early", 1);
    for i in 0..3 {
        cluster.nodes[i].stop();
        cluster.nodes[i].etc.settings = vec![("discovery.max-age".to_owned(), "4s".to_owned())];
        cluster.nodes[i].etc.write();
        cluster.nodes[i].start();
        cluster.wait_ready();
        cluster.nodes[i].announce_acked("rolling", &format!("engine-{i}"), 1);
    }
    until("all expire everywhere", Duration::from_secs(20), || {
        let seen = cluster.tokens_everywhere("rolling");
        seen.iter().all(|seen| seen.is_empty()).then_some(())
    });
    for node in &mut cluster.nodes {
        assert!(node.is_alive(), "{} has stopped", node.etc.node_id);
    }
}
