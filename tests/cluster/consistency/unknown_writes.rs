//! Tests of writes whose outcome is unknown to the node that received them.

use crate::support::http;
use crate::support::node::{PATIENCE, announcement, announcement_path, write_of};
use crate::support::proxy::Pace;
use crate::support::{Cluster, Mesh, Options, Write, until};
use std::time::Duration;

/// Delay of a message to the leader, and also of the leader's answer. The delay is far below the
/// timeout of a write.
const LATE: Pace = Pace::Late {
    by: Duration::from_millis(600),
    jitter: Duration::from_millis(1),
};
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);

/// A node does not repeat a write of unknown outcome, because the repetition would undo writes that
/// were acknowledged in between. The node's client learns that the outcome is unknown.
#[test]
fn a_write_of_unknown_fate_is_not_made_again() {
    let mut cluster = Cluster::start(3, Options::default());
    let mesh = Mesh::between(&mut cluster);
    let leader = cluster.leader();
    let taker = cluster.others(leader)[0];
    cluster.nodes[taker].announce_acked("once", "engine", 1);

    mesh.set_pace(taker, leader, LATE);
    let first = http::send(
        cluster.nodes[taker].address(),
        "PUT",
        &announcement_path("engine"),
        Some(&announcement("once", "engine", 2)),
        PATIENCE,
    );
    let token = || {
        let seen = cluster.nodes[leader].tokens("once")?;
        seen.get("engine").copied()
    };
    until("the first write is made", ARRIVES_WITHIN, || {
        (token() == Some(2)).then_some(())
    });
    cluster.nodes[leader].announce_acked("once", "engine", 3);
    mesh.set_pace(taker, leader, Pace::Prompt);
    mesh.break_off(taker, leader);

    let result = write_of(first.and_then(http::Pending::answer));
    assert!(
        matches!(result, Write::Unknown(_)),
        "it was made again: {result:?}"
    );
    for node in &cluster.nodes {
        let seen = node.tokens("once").expect("it serves");
        assert_eq!(
            seen.get("engine"),
            Some(&3),
            "an acknowledged write is undone"
        );
    }
}
