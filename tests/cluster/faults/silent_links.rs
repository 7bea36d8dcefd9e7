//! Tests of connections that are lost without being closed.

use crate::support::cluster::FORM_LIMIT;
use crate::support::{Cluster, Options, Proxy, until};
use std::time::Duration;

/// After a network has lost every connection without closing one, and works again, the group soon
/// serves. No node waits on a dead connection.
#[test]
fn connections_lost_without_a_word_are_replaced() {
    let mut cluster = Cluster::prepare(3, Options::default());
    let proxies: Vec<Proxy> = cluster
        .nodes
        .iter()
        .map(|n| Proxy::start(n.address()))
        .collect();
    for node in &mut cluster.nodes {
        for (entry, proxy) in node.etc.inventory.iter_mut().zip(&proxies) {
            entry.1 = proxy.port;
        }
        node.etc.write();
        node.start();
    }
    cluster
        .nodes
        .iter()
        .for_each(|n| n.wait_serving(FORM_LIMIT));
    cluster.nodes[0].announce_acked("linked", "engine", 1);

    proxies.iter().for_each(Proxy::lose);
    until("nobody serves", Duration::from_secs(10), || {
        let refused =
            |n: &crate::support::node::Node| n.get("/v1/service").is_ok_and(|r| r.status == 503);
        cluster.nodes.iter().all(refused).then_some(())
    });
    proxies.iter().for_each(Proxy::heal);
    for node in &cluster.nodes {
        node.wait_serving(Duration::from_secs(5));
        let seen = node.tokens("linked").expect("it serves");
        assert_eq!(seen.get("engine"), Some(&1));
    }
}
