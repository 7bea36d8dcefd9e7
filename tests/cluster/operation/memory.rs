//! Tests of a node's memory under ordinary use.

use crate::support::{Cluster, Options};

const SERVICES: usize = 1_000;
/// Maximum memory of a node with a thousand services: the documented limit for a release build. A
/// dev build needs no more heap.
const LIMIT_KB: u64 = 40 * 1024;

/// Number of times that each service is announced. All but the first are renewals, which stay in
/// the log for a while.
const ROUNDS: usize = 5;

/// A node with 1,000 services that were renewed, looked up and rendered uses no more memory than
/// documented.
#[cfg(target_os = "linux")]
#[test]
fn a_node_with_a_thousand_services_stays_small() {
    let cluster = Cluster::start(3, Options::max_age("10m"));
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let cluster = &cluster;
            scope.spawn(move || {
                for i in (0..ROUNDS).flat_map(|_| (writer..SERVICES).step_by(8)) {
                    cluster.nodes[i % 3].announce_acked("many", &format!("engine-{i}"), i as u64);
                }
            });
        }
    });
    for node in &cluster.nodes {
        assert_eq!(node.tokens("many").expect("it serves").len(), SERVICES);
        let resident = node.resident_kb();
        println!(
            "{} holds {SERVICES} services in {resident} kB",
            node.etc.node_id
        );
        assert!(resident <= LIMIT_KB, "{resident} kB");
    }
}
