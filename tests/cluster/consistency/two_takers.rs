//! Tests of writes of one node id through different nodes. They check the order in which the writes
//! take effect, and when a node refuses a write.

#[cfg(target_os = "linux")]
use crate::support::failing_disk::{FailingDisk, Order};
use crate::support::node::{PATIENCE, announcement, announcement_path, write_of};
use crate::support::{Cluster, Options, Write, http, let_pass, until};
use std::net::SocketAddr;
use std::time::Duration;

/// Number of rounds. In each round the leader is killed.
const ROUNDS: usize = 4;
/// Time between an earlier write and a later one. It is shorter than an election, so that both
/// writes wait for the new leader.
const BETWEEN: Duration = Duration::from_millis(150);
const DECIDED_WITHIN: Duration = Duration::from_secs(20);
/// Number of rounds in which one node id is written through two nodes.
const ALTERNATING: u64 = 200;
/// Duration of a sync on the slow disk. The other disks write several entries in this time.
#[cfg(target_os = "linux")]
const SLOW_SYNC: Duration = Duration::from_millis(40);

fn rounds() -> usize {
    let kills = std::env::var_os("QUORATE_TEST_KILLS");
    kills
        .and_then(|rounds| rounds.to_str()?.parse().ok())
        .unwrap_or(ROUNDS)
}

/// Sends an announcement without waiting for its answer.
fn send_put(to: SocketAddr, node_id: &str, token: u64) -> http::Pending {
    let body = announcement("two", node_id, token);
    let path = announcement_path(node_id);
    http::send(to, "PUT", &path, Some(&body), PATIENCE).expect("the kernel takes it")
}

/// A write that arrives while there is no leader never undoes a later acknowledged write. The later
/// write goes through another node. No announcement returns after its withdrawal, and no old
/// announcement replaces a newer one.
#[test]
fn an_earlier_write_through_another_node_undoes_nothing() {
    let mut cluster = Cluster::start(3, Options::default());
    for round in 0..rounds() as u64 {
        let leader = cluster.leader();
        let [early, late] = cluster.others(leader)[..] else {
            panic!("three nodes");
        };
        let token = 10 * round;
        for node_id in ["left", "changed", "replaced"] {
            cluster.nodes[early].announce_acked("two", node_id, token);
        }
        cluster.nodes[leader].kill9();
        let to = cluster.nodes[early].address();
        let earlier = [
            // The first two requests are renewals, and the third announces a new token.
            send_put(to, "left", token),
            send_put(to, "changed", token),
            send_put(to, "replaced", token + 1),
        ];
        let_pass(BETWEEN);
        let node = &cluster.nodes[late];
        let withdrawn = node.withdraw("left");
        let changed = node.announce("two", "changed", token + 2);
        let replaced = node.announce("two", "replaced", token + 2);
        let results: Vec<Write> = earlier
            .into_iter()
            .map(|pending| write_of(pending.answer()))
            .collect();
        let seen = until("the survivors serve", DECIDED_WITHIN, || {
            cluster.nodes[late].tokens("two")
        });
        let story = format!(
            "round {round}: the earlier writes got {results:?}, \
             the later ones {withdrawn:?}, {changed:?}, {replaced:?}"
        );
        if matches!(withdrawn, Write::Acked(_)) {
            assert_eq!(seen.get("left"), None, "a ghost: {story}");
        }
        for (node_id, later) in [("changed", changed), ("replaced", replaced)] {
            if matches!(later, Write::Acked(_)) {
                let shown = seen.get(node_id);
                assert_eq!(shown, Some(&(token + 2)), "{node_id} is undone: {story}");
            }
        }
        cluster.nodes[leader].start();
        cluster.nodes[leader].wait_ready(DECIDED_WITHIN);
        cluster.wait_all_voters(late);
    }
}

/// Writes one node id through two nodes alternately. Each write is sent as soon as the previous
/// write is answered. Returns the writes that were not acknowledged.
fn alternate(cluster: &Cluster, of_round: impl Fn(u64) -> [usize; 2]) -> Vec<Write> {
    let mut refused = Vec::new();
    for n in 0..ALTERNATING {
        let [first, second] = of_round(n).map(|at| &cluster.nodes[at]);
        let writes = [
            first.announce("two", "mover", n),
            match n % 2 {
                0 => second.withdraw("mover"),
                _ => second.announce("two", "mover", n + ALTERNATING),
            },
        ];
        let not_acked = |write: &Write| !matches!(write, Write::Acked(_));
        refused.extend(writes.into_iter().filter(not_acked));
    }
    refused
}

/// Maximum number of refused writes among the `2 * ALTERNATING` writes of [`alternate`]. A node
/// refuses a write if it cannot prove that the previous write was acknowledged before the new write
/// arrived. A few refusals are allowed, because the proof fails if the operating system has not
/// scheduled the node since the previous write was committed.
const MAX_REFUSED: usize = ALTERNATING as usize / 50;

/// Asserts that few writes were refused, and that every refusal says that the write was not
/// applied. The client may therefore send the write again.
fn assert_seldom_refused(refused: &[Write]) {
    let few = refused.len() <= MAX_REFUSED;
    let may_retry = refused.iter().all(|it| matches!(it, Write::NotApplied(_)));
    assert!(few && may_retry, "{}: {refused:?}", refused.len());
}

/// A healthy cluster seldom refuses a client that changes nodes right after an acknowledgement. The
/// client's write through the other node almost always succeeds at the first attempt.
#[test]
fn a_client_that_changes_nodes_at_once_is_seldom_refused() {
    let cluster = Cluster::start(3, Options::default());
    let refused = alternate(&cluster, |n| {
        [n, n + 1 + n / 3 % 2].map(|at| at as usize % 3)
    });
    assert_seldom_refused(&refused);
}

/// A node whose disk is slower than the other disks seldom refuses a write. The node learns that an
/// entry is committed while its own disk still writes earlier entries.
#[cfg(target_os = "linux")]
#[test]
fn a_slow_disk_is_no_reason_to_refuse() {
    let mut cluster = Cluster::prepare(3, Options::default());
    let disks: Vec<_> = cluster.nodes.iter_mut().map(FailingDisk::of).collect();
    cluster.start_all();
    cluster.wait_ready();
    let leader = cluster.leader();
    let [quick, slow] = cluster.others(leader)[..] else {
        panic!("three nodes");
    };
    disks[slow].fail(&Order::slow_syncs(SLOW_SYNC));
    let refused = alternate(&cluster, |n| match n % 3 {
        0 => [quick, slow],
        1 => [leader, slow],
        _ => [slow, quick],
    });
    assert_eq!(cluster.leader(), leader, "nobody else was to lead");
    assert_seldom_refused(&refused);
}
