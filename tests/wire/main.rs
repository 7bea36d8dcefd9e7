//! airlift's recorded answers, and the rules that reach past them, asked of real clusters.

mod replay;
#[path = "../support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the other tests of real processes"
)]
mod support;

use replay::{cases, replay};
use support::{Cluster, Options};

const RECORDED: &str = include_str!("airlift-wire.json");
const RULES: &str = include_str!("rules.json");

/// A node answers as airlift's server did, whether it leads or follows.
#[test]
fn a_leader_answers_as_recorded() {
    answers_as_recorded(|cluster| cluster.leader());
}

/// As above, of a follower, which forwards what it is told.
#[test]
fn a_follower_answers_as_recorded() {
    answers_as_recorded(|cluster| cluster.others(cluster.leader())[0]);
}

fn answers_as_recorded(choose: impl Fn(&Cluster) -> usize) {
    let cluster = Cluster::start(3, Options::default());
    cluster.wait_ready();
    let node = &cluster.nodes[choose(&cluster)];
    for file in [RECORDED, RULES] {
        let differences = replay(node.address(), &cases(file));
        assert!(
            differences.is_empty(),
            "{} differences:\n{}",
            differences.len(),
            differences.join("\n")
        );
    }
}
