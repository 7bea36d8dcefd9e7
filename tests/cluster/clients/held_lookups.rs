//! Tests of held lookups (long polls): the node holds back the answer until something changes.

use crate::support::http::{self, Pending, Response};
use crate::support::node::{Node, services};
use crate::support::{Cluster, Options, Write, until};
use quorate::clock;
use std::time::Duration;

/// Time limit for each step of these tests. It is far above the duration of any step.
const PATIENCE: Duration = Duration::from_secs(30);
/// Maximum time until a node without a quorum ends its held lookups. The documented limit is 2 s.
/// The additional 500 ms are for the test's own work on a busy machine.
const NO_QUORUM_LIMIT: Duration = Duration::from_millis(2_500);
const PATH: &str = "/v1/service/presto/general";

/// Returns the ETag of an answer.
fn tag(response: &Response) -> &str {
    &response.headers["etag"]
}

fn ask(node: &Node, path: &str, headers: &str) -> Pending {
    http::send_with(node.address(), "GET", path, headers, None, PATIENCE).expect("the node listens")
}

/// Starts a held lookup on every node. Each request carries the tag of the node's current answer.
fn hold_everywhere(cluster: &Cluster) -> Vec<Pending> {
    cluster.nodes.iter().map(hold).collect()
}

/// Looks up the current answer on a node, and starts a held lookup with the ETag of this answer.
fn hold(node: &Node) -> Pending {
    let has = node.get(PATH).expect("the node serves");
    ask(node, PATH, &format!("ETag: {}\r\n", tag(&has)))
}

/// A change on one node ends the held lookups on all three nodes. Each answer contains the change.
/// All nodes give equal states the same ETag. A lookup held on a follower survives a change of
/// leader.
#[test]
fn a_change_ends_the_holds_on_every_node() {
    let mut cluster = Cluster::start(3, Options::max_age("10m"));
    let tags: Vec<String> = cluster
        .nodes
        .iter()
        .map(|node| tag(&node.get(PATH).expect("it serves")).to_owned())
        .collect();
    assert!(tags.iter().all(|tag| *tag == tags[0]), "{tags:?}");
    for round in 0..3u64 {
        let held = hold_everywhere(&cluster);
        cluster.nodes[0].announce_acked("other", "o1", round);
        assert!(held.iter().all(Pending::is_silent), "another type woke it");
        let index = cluster.nodes[round as usize].announce_acked("presto", "w1", round);
        for held in held {
            let changed = held.answer().expect("an answer");
            assert_eq!(changed.status, 200);
            let found = services(&changed).expect("services");
            assert_eq!(found[0]["properties"]["token"], round.to_string());
            let seen: u64 = changed.headers["quorate-index"].parse().expect("an index");
            assert!(seen >= index, "{seen} is before {index}");
        }
    }

    let leader = cluster.leader();
    let follower = cluster.others(leader)[0];
    let held = hold(&cluster.nodes[follower]);
    cluster.nodes[leader].kill9();
    cluster.leader_other_than(Some(leader));
    // The write waits for the new leader. This takes longer than the time for which a node may keep
    // lookups held without a successful ReadIndex round.
    let index = until("writes go on", PATIENCE, || {
        match cluster.nodes[follower].announce("other", "o1", 9) {
            Write::Acked(index) => Some(index),
            _ => None,
        }
    });
    assert!(held.is_silent(), "a plain change of leader ended it");
    let changed = cluster.nodes[follower].announce_acked("presto", "w9", 1);
    assert!(changed > index);
    assert_eq!(held.answer().expect("an answer").status, 200);
}

/// A held lookup ends at its hold time. A lookup held by ETag is answered with 304 and the headers
/// that the next lookup needs. A lookup held by index is answered with 200. It is answered at once
/// if the index belongs to no state of this cluster.
#[test]
fn a_hold_ends_in_time() {
    let cluster = Cluster::start(
        3,
        Options {
            settings: vec![("discovery.hold-time", "700ms")],
            ..Options::default()
        },
    );
    for node in &cluster.nodes {
        let has = node.get(PATH).expect("it serves");
        assert_eq!(has.headers["cache-control"], "max-age=1");
        let began = clock::now();
        let ended = ask(node, PATH, &format!("If-None-Match: {}\r\n", tag(&has)))
            .answer()
            .expect("an answer");
        assert!(began.elapsed() >= Duration::from_millis(700));
        assert_eq!((ended.status, tag(&ended)), (304, tag(&has)));
        assert_eq!(ended.headers["cache-control"], "max-age=1");
        let index: u64 = ended.headers["quorate-index"].parse().expect("an index");
        for (query, waited) in [
            (
                format!("index={index}&wait=300ms"),
                Duration::from_millis(300),
            ),
            (format!("index={}", index + 1_000_000), Duration::ZERO),
        ] {
            let began = clock::now();
            let answered = node.get(&format!("{PATH}?{query}")).expect("it serves");
            assert_eq!(answered.status, 200);
            assert!(began.elapsed() >= waited, "{query}");
        }
    }
}

/// Held lookups end when their node stops or loses its quorum. A node that is asked to stop answers
/// its held lookups before it exits. A node that loses its quorum answers its held lookups with 503
/// within 2 s, and ends its streams with the reason.
#[test]
fn holds_end_with_their_node() {
    let mut cluster = Cluster::start(3, Options::max_age("10m").alone());
    let held = hold(&cluster.nodes[0]);
    cluster.nodes[0].ask_to_stop();
    assert_eq!(held.answer().expect("an answer").status, 304);
    assert_eq!(cluster.nodes[0].ended("SIGTERM").code(), Some(0));

    let last = 1;
    let held = hold(&cluster.nodes[last]);
    let path = format!("{PATH}?index=0&wait=1m");
    let index = cluster.nodes[last].get(PATH).expect("it serves").headers["quorate-index"].clone();
    let waiting = ask(
        &cluster.nodes[last],
        &path.replace("index=0", &format!("index={index}")),
        "",
    );
    let mut events = crate::support::events::Events::open(
        cluster.nodes[last].address(),
        "/v1/watch/presto",
        None,
        PATIENCE,
    )
    .expect("a stream");
    let lost_at = clock::now();
    cluster.nodes[2].kill9();
    for refused in [held, waiting] {
        let refused = refused.answer().expect("an answer");
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert!(
            lost_at.elapsed() <= NO_QUORUM_LIMIT,
            "{:?}",
            lost_at.elapsed()
        );
        assert!(!refused.body.trim().is_empty());
    }
    loop {
        let event = events.named(PATIENCE).expect("the last event");
        if event.name.as_deref() == Some("end") {
            assert!(
                event.data["reason"]
                    .as_str()
                    .is_some_and(|reason| !reason.is_empty())
            );
            break;
        }
    }
    assert!(
        events.next(PATIENCE).is_err(),
        "nothing comes after the end"
    );
}
