//! Tests of lookups right after an acknowledged write.

use crate::support::{Cluster, Options, Write, until};
use std::time::Duration;

const DECIDED_WITHIN: Duration = Duration::from_secs(5);
const ANNOUNCEMENTS: u64 = 300;
const NODE_IDS: u64 = 40;

/// A write that one node acknowledged is visible in the very next lookup on every node. The test
/// makes first and changed announcements through every node in rotation. None of the 900 first
/// lookups is stale.
#[test]
fn an_acknowledged_announcement_is_in_the_next_lookup_on_every_node() {
    let cluster = Cluster::start(3, Options::default());
    let mut stale = Vec::new();
    for token in 0..ANNOUNCEMENTS {
        let node_id = format!("engine-{}", token % NODE_IDS);
        let taker = (token % 3) as usize;
        let written = cluster.nodes[taker].announce_acked("fresh", &node_id, token);
        for node in &cluster.nodes {
            let response = node.get("/v1/service/fresh/general").expect("an answer");
            let services =
                crate::support::node::services(&response).expect("a healthy cluster serves");
            if crate::support::node::tokens_of(&services).get(&node_id) != Some(&token) {
                stale.push((token, node.etc.node_id.clone()));
            }
            let index: u64 = response.headers["quorate-index"]
                .parse()
                .expect("Quorate-Index is a number");
            assert!(
                index >= written,
                "a lookup at {index} after a write at {written}"
            );
        }
    }
    assert!(
        stale.is_empty(),
        "{} of {} first reads were stale: {stale:?}",
        stale.len(),
        3 * ANNOUNCEMENTS
    );
}

/// An acknowledged withdrawal is visible in the very next lookup on every node.
#[test]
fn a_withdrawn_node_is_in_no_lookup_any_more() {
    let cluster = Cluster::start(3, Options::default());
    for round in 0..30 {
        let node_id = format!("engine-{round}");
        cluster.nodes[round % 3].announce_acked("leaving", &node_id, 1);
        // A node refuses the withdrawal of an announcement that it does not know yet. The test
        // repeats a refused withdrawal. two_takers.rs limits how often a node may refuse.
        until(
            "the withdrawal is acknowledged",
            DECIDED_WITHIN,
            || match cluster.nodes[(round + 1) % 3].withdraw(&node_id) {
                Write::Acked(_) => Some(()),
                Write::NotApplied(_) => None,
                Write::Unknown(reason) => panic!("{reason}"),
            },
        );
        for node in &cluster.nodes {
            let seen = node.tokens("leaving").expect("a healthy cluster serves");
            assert!(
                !seen.contains_key(&node_id),
                "{} still lists {node_id}",
                node.etc.node_id
            );
        }
    }
}
