//! Tests of a node that falls behind the leader.

use crate::support::cluster::FORM_LIMIT;
use crate::support::http;
use crate::support::node::{PATIENCE, announcement_path, write_of};
use crate::support::traffic::Traffic;
use crate::support::{Cluster, Options, Write, let_pass, until};
use serde_json::json;
use std::time::Duration;

/// Time for which writes continue while the node is down.
const AWAY: Duration = Duration::from_secs(5);
const LEVEL_LIMIT: Duration = Duration::from_secs(5);

/// A node that was down under full write load soon catches up, although the load continues.
#[test]
fn a_node_that_was_away_under_load_is_soon_level() {
    let mut cluster = Cluster::start(3, Options::max_age("10m").alone());
    let away = cluster.others(cluster.leader())[0];
    let to: Vec<_> = cluster
        .others(away)
        .iter()
        .flat_map(|i| [cluster.nodes[*i].address(); 4])
        .collect();
    let traffic = Traffic::start("load", &to);
    until("writes are acknowledged", FORM_LIMIT, || {
        (traffic.acked() > 0).then_some(())
    });
    cluster.nodes[away].kill9();
    let_pass(AWAY);
    cluster.nodes[away].start();
    cluster.nodes[away].wait_ready(FORM_LIMIT);
    let applied = |i: usize| {
        cluster.nodes[i]
            .status()
            .and_then(|status| status["applied"].as_u64())
    };
    let goal = until("the leader's position", FORM_LIMIT, || {
        applied(cluster.leader())
    });
    until(
        "the node has what was there when it became ready",
        LEVEL_LIMIT,
        || (applied(away)? >= goal).then_some(()),
    );
    let done = traffic.stop();
    done.assert_nothing_lost(
        &cluster.nodes[away].tokens("load").expect("it serves"),
        "the node that was away",
    );
}

/// Announcements far larger than usual are accepted and replicated, even many at a time, and the
/// group continues: no message becomes too large to be sent.
#[test]
fn large_announcements_do_not_stop_replication() {
    const SIZE: usize = 200_000;
    const NODES: usize = 24;
    let mut cluster = Cluster::start(3, Options::max_age("10m"));
    cluster.nodes[2].kill9();
    std::thread::scope(|scope| {
        for i in 0..NODES {
            let to = cluster.nodes[i % 2].address();
            scope.spawn(move || {
                let node_id = format!("large-{i}");
                let body = json!({"environment": "test", "nodeId": node_id, "pool": "general",
                    "location": "/large",
                    "services": [{"id": node_id, "type": "large",
                        "properties": {"token": i.to_string(),
                            "connectorIds": "x".repeat(SIZE)}}]});
                until("a large announcement is acknowledged", FORM_LIMIT, || {
                    let answer = http::request(
                        to,
                        "PUT",
                        &announcement_path(&node_id),
                        Some(&body.to_string()),
                        PATIENCE,
                    );
                    matches!(write_of(answer), Write::Acked(_)).then_some(())
                });
            });
        }
    });
    // The restarted node receives all the large announcements at once.
    cluster.nodes[2].start();
    cluster.nodes[2].wait_ready(FORM_LIMIT);
    for seen in cluster.tokens_everywhere("large") {
        assert_eq!(seen.len(), NODES);
    }
    cluster.nodes[0].announce_acked("large", "small", 1);
}
