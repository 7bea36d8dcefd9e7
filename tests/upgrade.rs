//! Tests a rolling upgrade from an older release. `scripts/upgrade` builds that release and runs
//! this test.

#![cfg(target_os = "linux")]
#[allow(
    dead_code,
    unused_imports,
    reason = "other test binaries use the rest of it"
)]
mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use support::cluster::FORM_LIMIT;
use support::{Cluster, Options, rolling, until};

const KIND: &str = "upgraded";

/// Three nodes of an older release without a secret become nodes of this release that demand every
/// proof, one by one and under writes. Nothing is lost, and writes are interrupted for 2.5 s at
/// most.
#[test]
fn an_older_group_is_changed_to_demand_every_proof() {
    let mut cluster = older_cluster();
    rolling::demand_proofs(&mut cluster, KIND, |node| {
        node.program = PathBuf::from(support::node::BINARY);
    });
    assert_alive(&mut cluster);
}

/// Starts three nodes of the older release.
fn older_cluster() -> Cluster {
    let old = std::env::var_os("QUORATE_TEST_OLD");
    let old = old.expect("it is the binary of the older release (scripts/upgrade sets it)");
    let mut cluster = Cluster::prepare(3, Options::max_age("60s").alone());
    for node in &mut cluster.nodes {
        node.program = PathBuf::from(&old);
    }
    cluster.start_all();
    cluster.wait_serving();
    cluster
}

fn assert_alive(cluster: &mut Cluster) {
    for node in &mut cluster.nodes {
        // A node whose state differs from that of the majority ends with the exit code of
        // divergence.
        assert!(
            node.is_alive(),
            "{} has ended: {}",
            node.etc.node_id,
            node.log()
        );
    }
}

/// Returns the committed entries by index.
fn committed(log: &str) -> BTreeMap<u64, Value> {
    log.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an entry a line"))
        .filter_map(|entry| Some((entry["index"].as_u64()?, entry)))
        .collect()
}

/// Three nodes are upgraded one by one under writes. No acknowledged write is lost, and writes are
/// interrupted for at most 2.5 s. No node ends because of a diverging state. The new release reads
/// the data directories of the older release, and the three logs agree. At the end, all nodes are
/// stopped and started once more, as after a downtime of the whole cluster.
#[test]
fn nodes_are_upgraded_one_by_one() {
    let mut cluster = older_cluster();
    let statics: Vec<_> = (0..3)
        .map(|_| {
            cluster.nodes[0]
                .add_static("kept")
                .expect("an answer")
                .status
        })
        .collect();
    assert_eq!(statics, [201; 3], "static announcements are taken");

    for node in rolling::order(&cluster) {
        let done = rolling::restart(&mut cluster, KIND, node, |node| {
            node.program = PathBuf::from(support::node::BINARY);
        });
        assert_alive(&mut cluster);
        done.assert_nothing_lost_anywhere(&cluster.tokens_everywhere(KIND));
    }
    let raised = format!(
        "a higher level of commands level={}",
        quorate::registry::LEVEL
    );
    let is_new = |node: &support::node::Node| node.log().contains(&raised);
    until("the level of commands rises", FORM_LIMIT, || {
        cluster.nodes.iter().any(is_new).then_some(())
    });
    let traffic = rolling::traffic_beside(&cluster, KIND, 3);
    rolling::wait_for_writes(&traffic);
    let done = traffic.stop();
    assert_alive(&mut cluster);
    done.assert_nothing_lost_anywhere(&cluster.tokens_everywhere(KIND));

    cluster.stop_all();
    let logs: Vec<_> = cluster
        .nodes
        .iter()
        .map(|node| committed(&node.committed_log()))
        .collect();
    for (index, entry) in &logs[0] {
        for other in &logs[1..] {
            assert!(
                other.get(index).is_none_or(|other| other == entry),
                "entry {index} differs"
            );
        }
    }
    cluster.start_all();
    cluster.wait_ready();
    done.assert_nothing_lost_anywhere(&cluster.tokens_everywhere(KIND));
    for node in &cluster.nodes {
        assert_eq!(node.lookup("kept").map(|kept| kept.len()), Some(3));
    }
}
