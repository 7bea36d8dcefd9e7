//! Tests of the address under which a node is listed, in the inventory and as a service.

use crate::support::cluster::FORM_LIMIT;
use crate::support::{Cluster, Options, Proxy, ports, until};
use quorate::config::exit_code;

/// A node refuses to start if its inventory entry has another port than the port it listens on.
/// Peers would never find such a node. The message names both ports.
#[test]
fn a_port_that_is_not_in_the_inventory_is_refused() {
    let mut cluster = Cluster::prepare(1, Options::default());
    let listed = ports::free();
    let node = &mut cluster.nodes[0];
    node.etc.inventory[0].1 = listed;
    node.etc.write();
    node.start();
    let status = node.ended("the rejection");
    let said = node.log();
    assert_eq!(
        status.code(),
        Some(i32::from(exit_code::INVENTORY)),
        "{said}"
    );
    for port in [listed, node.etc.port] {
        assert!(said.contains(&port.to_string()), "{port} in {said}");
    }
}

/// A node starts if the port of its inventory entry is forwarded to the port it listens on. A
/// container's port mapping forwards ports in this way.
#[test]
fn a_forwarded_port_is_accepted() {
    let mut cluster = Cluster::prepare(1, Options::default());
    let node = &mut cluster.nodes[0];
    let mapping = Proxy::start(node.address());
    node.etc.inventory[0].1 = mapping.port;
    node.etc.write();
    node.start();
    node.wait_serving(FORM_LIMIT);
    node.announce_acked("mapped", "engine", 1);
}

/// Every node announces itself as a service of type `discovery`. A node that stops cleanly
/// disappears from the lookups at once and stays absent.
#[test]
fn a_node_that_stops_is_no_discovery_server_any_more() {
    let mut cluster = Cluster::start(3, Options::max_age("3s"));
    let listed = |node: &crate::support::node::Node, id: &str| {
        let body = node.get("/v1/service/discovery").expect("it serves").body;
        body.contains(&format!("\"nodeId\":\"{id}\""))
    };
    let ids: Vec<String> = cluster
        .nodes
        .iter()
        .map(|n| n.etc.node_id.clone())
        .collect();
    until("all have announced themselves", FORM_LIMIT, || {
        ids.iter()
            .all(|id| listed(&cluster.nodes[1], id))
            .then_some(())
    });
    cluster.nodes[0].stop();
    assert!(!listed(&cluster.nodes[1], &ids[0]), "it is still listed");
    assert!(listed(&cluster.nodes[2], &ids[1]));
}
