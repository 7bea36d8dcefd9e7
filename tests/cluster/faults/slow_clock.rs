//! Tests of a leader whose clock is slow.

use crate::support::cluster::FORM_LIMIT;
use crate::support::http;
use crate::support::wrong_clock::WrongClock;
use crate::support::{Cluster, Mesh, Options, Write, until};
use quorate::clock;
use std::time::Duration;

/// Factor by which the node's clock is slower. While ten seconds pass, the node's clock advances by
/// half a second, as on a host that is suspended now and then.
const SLOWER: u64 = 20;
/// Time for which the leader is watched while it is cut off. A lease measured by the leader's slow
/// clock would outlast this time.
const WATCHED: Duration = Duration::from_secs(3);
/// Timeout of the client. By the node's slow clock, the client gives up long before this time has
/// passed.
const ASKED_FOR: Duration = Duration::from_millis(500);

/// No lookup relies on a clock. A leader with a slow clock does not answer from its own state while
/// it is cut off and the other nodes continue.
#[test]
fn a_cut_off_leader_with_a_slow_clock_serves_nothing_old() {
    let mut cluster = Cluster::prepare(3, Options::default());
    let nodes = cluster.nodes.iter_mut();
    let clocks: Vec<WrongClock> = nodes.map(WrongClock::that_can_be_slow).collect();
    cluster.start_all();
    cluster.wait_serving();
    let mesh = Mesh::between(&mut cluster);
    let slow = cluster.leader();
    let others = cluster.others(slow);
    cluster.nodes[slow].announce_acked("timed", "engine", 1);

    clocks[slow].slow_down(SLOWER);
    for other in &others {
        mesh.lose(slow, *other);
        mesh.lose(*other, slow);
    }
    until("the others go on", FORM_LIMIT, || {
        let written = cluster.nodes[others[0]].announce("timed", "engine", 2);
        matches!(written, Write::Acked(_)).then_some(())
    });
    let end = clock::now() + WATCHED;
    while clock::now() < end {
        let asked = http::request(
            cluster.nodes[slow].address(),
            "GET",
            "/v1/service/timed",
            None,
            ASKED_FOR,
        );
        if let Ok(answer) = asked {
            assert_ne!(
                answer.status, 200,
                "it serves something old: {}",
                answer.body
            );
        }
    }
}
