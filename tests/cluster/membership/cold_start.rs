//! Tests of the formation of a new group from empty directories.

use crate::support::{Cluster, Options};
use std::time::Duration;

/// Maximum time for a new group to form. The documented limit is 2 s on a dedicated machine, but
/// this machine also runs the test.
const LIMIT: Duration = Duration::from_secs(5);

/// Three nodes started together on empty directories soon form one group. Every node serves
/// linearizable lookups after that.
#[test]
fn three_cold_starts_soon_serve_on_every_node() {
    let cluster = Cluster::start(3, Options::default());
    println!(
        "first linearizable lookup on all three nodes after {:?}",
        cluster.formed_in
    );
    assert!(cluster.formed_in <= LIMIT, "{:?}", cluster.formed_in);
    cluster.wait_all_voters(0);
}

/// The order in which nodes start does not matter. The node with the smallest `node.id`, which
/// founds the group, may start last or first. A node that waits for another node reports the name
/// of that node.
#[test]
fn nodes_started_one_after_the_other_form_one_group() {
    for order in [[0, 1, 2], [2, 1, 0]] {
        let mut cluster = Cluster::prepare(3, Options::default());
        cluster.nodes[order[0]].start();
        cluster.nodes[order[1]].start();
        let early = &cluster.nodes[order[1]];
        let missing = cluster.nodes[order[2]].etc.node_id.clone();
        let limit = Duration::from_secs(10);
        crate::support::until("a node says for whom it waits", limit, || {
            let status = early.status()?;
            status["waits_for"]
                .as_str()?
                .contains(&missing)
                .then_some(())
        });
        let refused = early.get("/v1/service").expect("an answer");
        assert_eq!(refused.status, 503, "{}", refused.body);
        cluster.nodes[order[2]].start();
        cluster.wait_serving();
        cluster.wait_all_voters(order[0]);
    }
}
