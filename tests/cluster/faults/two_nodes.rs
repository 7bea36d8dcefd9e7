//! Tests of groups of two nodes.

use crate::support::cluster::FORM_LIMIT;
use crate::support::{Cluster, Options, until};
use std::time::Duration;

/// The documented procedure for growing from two nodes to three works. Two nodes with an inventory
/// of two form a group. A third node, which is not a member, is not added, and reports that it
/// waits. Afterwards all nodes are emptied and started with an inventory of three. The three nodes
/// form a group that survives the loss of one node.
#[test]
fn a_group_of_two_becomes_one_of_three_when_all_are_emptied() {
    let mut cluster = Cluster::prepare(3, Options::default());
    let everyone = cluster.nodes[0].etc.inventory.clone();
    for node in &mut cluster.nodes[..2] {
        node.etc.inventory.truncate(2);
        node.etc.write();
    }
    cluster.nodes[0].start();
    cluster.nodes[1].start();
    cluster.nodes[0].wait_serving(FORM_LIMIT);
    cluster.nodes[1].wait_serving(FORM_LIMIT);
    cluster.nodes[0].announce_acked("pair", "engine", 1);

    cluster.nodes[2].start();
    let said = until(
        "the third says what it waits for",
        Duration::from_secs(10),
        || {
            let status = cluster.nodes[2].status()?;
            let said = status["waits_for"].as_str()?;
            said.contains("has no member").then(|| said.to_owned())
        },
    );
    assert!(
        said.contains("its members are quorate-1, quorate-2"),
        "{said}"
    );
    let way_out = "\"A majority is lost\" in docs/OPERATIONS.md";
    assert!(said.contains(way_out), "{said}");
    let refused = cluster.nodes[2].get("/v1/service").expect("an answer");
    assert_eq!(refused.status, 503, "{said}: {}", refused.body);
    for node in &cluster.nodes[..2] {
        assert_eq!(
            node.tokens("pair").expect("the pair serves").get("engine"),
            Some(&1)
        );
        let status = node.status().expect("a status");
        assert_eq!(
            status["members"].as_array().map(Vec::len),
            Some(2),
            "{status}"
        );
    }

    cluster.stop_all();
    for node in &mut cluster.nodes {
        node.wipe();
        node.etc.inventory = everyone.clone();
        node.etc.write();
    }
    cluster.start_all();
    cluster.wait_serving();
    cluster.wait_all_voters(0);
    let lost = cluster.leader();
    cluster.nodes[lost].kill9();
    for i in cluster.others(lost) {
        cluster.nodes[i].wait_serving(FORM_LIMIT);
    }
}

/// A group of two that loses one node refuses requests and names the missing node. The group serves
/// again when this node is back.
#[test]
fn a_group_of_two_that_loses_one_says_so() {
    let mut cluster = Cluster::start(2, Options::default());
    cluster.nodes[0].announce_acked("pair", "engine", 1);
    cluster.nodes[1].kill9();
    let missing = cluster.nodes[1].etc.node_id.clone();
    let refused = until("the one left refuses", Duration::from_secs(10), || {
        let response = cluster.nodes[0].get("/v1/service").ok()?;
        (response.status == 503 && response.body.contains(&missing)).then_some(response.body)
    });
    println!("{refused}");
    cluster.nodes[1].start();
    cluster.wait_serving();
    assert_eq!(
        cluster.nodes[1]
            .tokens("pair")
            .expect("it serves")
            .get("engine"),
        Some(&1)
    );
}
