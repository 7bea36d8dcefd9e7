//! Tests of a leader that can reach the other nodes while the other nodes cannot reach the leader.

use crate::support::{Cluster, Mesh, Options, Write, until};
use quorate::clock;
use std::time::Duration;

/// Maximum time until the leader detects that no node reaches it, and another node leads.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(5);

/// A leader that no other node can reach, for example because of a firewall, hands over its
/// leadership. The leader itself can still reach the other nodes. Writes and lookups through the
/// other nodes continue.
#[test]
fn a_leader_that_nobody_reaches_hands_over() {
    let mut cluster = Cluster::start(3, Options::default());
    let mesh = Mesh::between(&mut cluster);
    let deaf = cluster.leader();
    let others = cluster.others(deaf);
    for other in &others {
        mesh.lose(*other, deaf);
    }
    let began = clock::now();
    let through = &cluster.nodes[others[0]];
    let mut token = 0;
    until(
        "a write through another is acknowledged",
        HANDED_OVER_WITHIN,
        || {
            token += 1;
            matches!(through.announce("heard", "engine", token), Write::Acked(_)).then_some(())
        },
    );
    println!("gap: {:?}", began.elapsed());
    let seen = cluster.nodes[others[1]].tokens("heard").expect("it serves");
    assert_eq!(seen.get("engine"), Some(&token));
    assert!(cluster.nodes[deaf].log().contains("cannot reach it"));
}
