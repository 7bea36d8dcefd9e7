//! Tests of whole answers, byte by byte where it matters, on a leader and on a follower.

use crate::replay::{ReplayTarget, cases, replay};
use crate::support::http::send_with;
use crate::support::node::PATIENCE;
use crate::support::{Cluster, Options};

/// A leader and a follower give the answers that airlift's server gave, and follow the rules for
/// everything beyond them. No client can distinguish the nodes.
#[test]
fn a_leader_and_a_follower_give_the_recorded_answers() {
    for through_leader in [true, false] {
        // Each run has a new cluster, since the recorded answers begin on an empty one.
        let cluster = Cluster::start(3, Options::max_age("10m"));
        let leader = cluster.leader();
        let taker = if through_leader {
            leader
        } else {
            cluster.others(leader)[0]
        };
        for file in [
            include_str!("../../wire/airlift-wire.json"),
            include_str!("../../wire/rules.json"),
        ] {
            let target = ReplayTarget {
                server: cluster.nodes[taker].address(),
                scheme: "http",
                headers: "",
            };
            let differences = replay(&target, &cases(file));
            assert!(
                differences.is_empty(),
                "through the leader: {through_leader}, {} differences:\n{}",
                differences.len(),
                differences.join("\n")
            );
        }
    }
}

/// The configuration sets the maximum size of a request's head, and accepts airlift's units for it.
#[test]
fn the_head_of_a_request_is_as_large_as_is_set() {
    let options = Options {
        settings: vec![("http-server.max-request-header-size", "0.015625MB")],
        ..Options::default()
    };
    let cluster = Cluster::start(1, options);
    for (bytes, status) in [(15 << 10, 200), (17 << 10, 431)] {
        let header = format!("X-Long: {}\r\n", "x".repeat(bytes));
        let node = cluster.nodes[0].address();
        let pending = send_with(node, "GET", "/v1/service", &header, None, PATIENCE);
        let answer = pending.expect("the node reads").answer();
        assert_eq!(answer.expect("an answer").status, status, "{bytes} bytes");
    }
}
