//! Tests of a node that has lost its quorum.

use crate::support::http;
use crate::support::node::{PATIENCE, announcement, announcement_path, write_of};
use crate::support::{Cluster, Options, Write, until};
use quorate::clock;
use std::time::Duration;

/// Maximum time until a node without a quorum refuses a request: the documented 2 s, and a margin
/// for a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_millis(2_300);

/// A node without a quorum refuses every read and write within 2 s with the reason. The node may
/// have been the leader or a follower. Its status and stale lookups are still available. Once a
/// second node is back, the cluster serves again, with every acknowledged write.
#[test]
fn without_a_quorum_reads_and_writes_are_refused_in_time_and_say_why() {
    let mut cluster = Cluster::start(3, Options::default());
    for survivor_leads in [true, false] {
        let leader = cluster.leader();
        let survivor = if survivor_leads {
            leader
        } else {
            cluster.others(leader)[0]
        };
        cluster.nodes[survivor].announce_acked("lonely", "engine", 7);
        for lost in cluster.others(survivor) {
            cluster.nodes[lost].kill9();
        }

        // Requests are refused from the very first one on, and while the node goes through
        // elections.
        let begun = clock::now();
        while begun.elapsed() < Duration::from_secs(4) {
            refuses(&cluster, survivor);
        }
        let node = &cluster.nodes[survivor];
        let status = node.status().expect("status answers without a quorum");
        assert_eq!(status["node"], node.etc.node_id.as_str());
        let unreachable = status["members"].as_array().expect("members");
        assert_eq!(
            unreachable
                .iter()
                .filter(|member| member["reachable"] == false)
                .count(),
            2,
            "{status}"
        );
        let ready = node.get("/v1/cluster/ready").expect("an answer");
        assert_eq!(ready.status, 503);
        assert!(!ready.body.trim().is_empty());
        let stale = node
            .get("/v1/service/lonely/general?consistency=stale")
            .expect("an answer");
        assert_eq!(stale.status, 200, "{}", stale.body);
        assert!(stale.body.contains("\"engine\""), "{}", stale.body);

        let back = cluster.others(survivor);
        cluster.nodes[back[0]].start();
        let seen = until("two of three serve", Duration::from_secs(10), || {
            cluster.nodes[survivor].tokens("lonely")
        });
        assert_eq!(seen.get("engine"), Some(&7));
        cluster.nodes[back[1]].start();
        cluster.wait_ready();
    }
}

/// Asserts that a node refuses reads and writes in time and with the reason.
fn refuses(cluster: &Cluster, survivor: usize) {
    let node = &cluster.nodes[survivor];
    let asked = clock::now();
    let read = node.get("/v1/service/lonely/general").expect("an answer");
    assert!(
        asked.elapsed() <= ANSWER_LIMIT,
        "a read was refused only after {:?}",
        asked.elapsed()
    );
    assert_eq!(read.status, 503, "{}", read.body);
    assert!(!read.body.trim().is_empty(), "no reason given");
    assert_eq!(
        read.body.trim().lines().count(),
        1,
        "one line: {}",
        read.body
    );

    let body = announcement("lonely", "engine", 7);
    let asked = clock::now();
    let write = http::request(
        node.address(),
        "PUT",
        &announcement_path("engine"),
        Some(&body),
        PATIENCE,
    );
    assert!(
        asked.elapsed() <= ANSWER_LIMIT,
        "a write was refused only after {:?}",
        asked.elapsed()
    );
    match write_of(write) {
        Write::Acked(index) => panic!("acknowledged at {index} without a quorum"),
        Write::NotApplied(reason) | Write::Unknown(reason) => {
            assert!(!reason.trim().is_empty(), "no reason given")
        }
    }
}
