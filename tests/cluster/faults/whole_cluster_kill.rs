//! Tests of killing or stopping all nodes at once.

use crate::support::{Cluster, Options, Write, let_pass, until};
use quorate::clock;
use std::collections::BTreeMap;
use std::time::Duration;

const MAX_AGE: Duration = Duration::from_secs(5);
/// Age of the announcements at the time when all nodes are killed.
const AGED: Duration = Duration::from_secs(3);
const ENGINES: u64 = 40;
const WITHDRAWN: u64 = 5;

/// No acknowledged write is lost when all nodes are killed at once with SIGKILL. The first lookup
/// on each restarted node shows every announcement and no withdrawn one. Without renewals, each
/// announcement lives for at least max-age after the restart and expires afterwards.
#[test]
fn announcements_survive_a_kill_of_the_whole_cluster_and_then_live_max_age() {
    let mut cluster = Cluster::start(3, Options::max_age("5s"));
    let mut expected = BTreeMap::new();
    for token in 0..ENGINES {
        let node_id = format!("engine-{token}");
        cluster.nodes[(token % 3) as usize].announce_acked("survivor", &node_id, token);
        expected.insert(node_id, token);
    }
    for token in 0..WITHDRAWN {
        let node_id = format!("engine-{token}");
        let outcome = cluster.nodes[0].withdraw(&node_id);
        assert!(matches!(outcome, Write::Acked(_)), "{outcome:?}");
        expected.remove(&node_id);
    }
    // All announcements are renewed, so that none of them expires before the kill, however long the
    // steps above took.
    for (node_id, token) in &expected {
        cluster.nodes[1].announce_acked("survivor", node_id, *token);
    }
    // The announcements age before the kill. A restart that did not begin a new max-age would let
    // the announcements expire before their clients are back.
    let_pass(AGED);

    cluster.kill9_all();
    cluster.start_all();

    let mut served_since = None;
    for node in &cluster.nodes {
        let first = until(
            "the first lookup after the restart",
            Duration::from_secs(20),
            || node.tokens("survivor"),
        );
        served_since.get_or_insert(clock::now());
        assert_eq!(first, expected, "the first lookup of {}", node.etc.node_id);
    }
    let served_since = served_since.expect("the cluster has nodes");

    let gone_at = until(
        "announcements expire in the end",
        Duration::from_secs(30),
        || {
            let seen = cluster.nodes[0]
                .tokens("survivor")
                .expect("a healthy cluster serves");
            (seen.len() < expected.len()).then(clock::now)
        },
    );
    let lived = gone_at - served_since;
    assert!(
        lived >= MAX_AGE,
        "gone {lived:?} after the cluster could take renewals again"
    );
}

/// Static announcements and their ids survive a stop of the whole cluster, do not expire, and
/// disappear when they are deleted.
#[test]
fn static_announcements_survive_restarts_and_do_not_expire() {
    let mut cluster = Cluster::start(3, Options::max_age("1s"));
    let created = cluster.nodes[0].add_static("still").expect("an answer");
    assert_eq!(created.status, 201, "{}", created.body);
    let location = created.headers["location"].clone();
    // The expiry of an ordinary announcement, made at the same time, shows that max-age is over.
    // The static announcement must still be listed.
    cluster.nodes[0].announce_acked("moving", "engine", 1);
    until("an announcement expires", Duration::from_secs(10), || {
        cluster.nodes[0]
            .tokens("moving")
            .filter(|seen| seen.is_empty())
    });

    cluster.stop_all();
    cluster.start_all();
    cluster.wait_serving();

    let mut ids = Vec::new();
    for node in &cluster.nodes {
        let services = node.lookup("still").expect("a healthy cluster serves");
        assert_eq!(services.len(), 1, "{services:?}");
        ids.push(
            services[0]["id"]
                .as_str()
                .expect("a service has an id")
                .to_owned(),
        );
    }
    assert!(
        ids.iter().all(|id| location.ends_with(id.as_str())),
        "{ids:?} at {location}"
    );

    let path = format!("/v1/announcement/static/{}", ids[0]);
    let deleted = crate::support::http::request(
        cluster.nodes[2].address(),
        "DELETE",
        &path,
        None,
        crate::support::node::PATIENCE,
    );
    assert_eq!(deleted.expect("an answer").status, 204);
    for node in &cluster.nodes {
        assert_eq!(
            node.lookup("still")
                .expect("a healthy cluster serves")
                .len(),
            0
        );
    }
}
