//! Tests of changing a group that serves: from no secret to a required one, and from one secret to
//! the next.

use super::secrets::{
    OTHER_SECRET, PEER_AUTHENTICATION, RELOADED_WITHIN, SECRET, SHARED_SECRET,
    assert_no_secret_logged, with_secret,
};
use crate::support::cluster::FORM_LIMIT;
use crate::support::etc::write;
use crate::support::node::Node;
use crate::support::peer_wire::PeerWire;
use crate::support::{Cluster, Options, let_pass, rolling, until};
use quorate::clock;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

const KIND: &str = "changed";
const SHARED_SECRET_FILE: &str = "cluster.shared-secret-file";
/// Time for which a group serves between two steps of a rotation.
const BETWEEN: Duration = Duration::from_secs(1);

/// Returns what the other members have proved to a node.
fn proofs(node: &Node) -> Option<Vec<Value>> {
    let status = node.status()?;
    let members = status["members"].as_array()?.iter();
    let others = members.filter(|member| member["node"] != node.etc.node_id.as_str());
    Some(others.map(|member| member["security"].clone()).collect())
}

/// A group without a secret is changed to one that demands every proof, node by node and under
/// writes. Nothing is lost and no gap exceeds 2.5 s. While both kinds of nodes run, the status
/// distinguishes them, and the log warns once about each plain member, with the reason. Afterwards
/// plain peers are refused.
#[test]
fn a_plain_group_is_changed_to_require_a_secret() {
    let mut cluster = Cluster::start(3, Options::max_age("60s"));
    let first = rolling::order(&cluster)[0];
    let done = rolling::restart(&mut cluster, KIND, first, |node| {
        node.set("internal-communication.shared-secret", SECRET);
        node.set("discovery.announcement.authentication", "off");
        node.set(PEER_AUTHENTICATION, "permissive");
    });
    done.assert_nothing_lost_anywhere(&cluster.tokens_everywhere(KIND));
    until("the others are plain", FORM_LIMIT, || {
        (proofs(&cluster.nodes[first])? == ["plain", "plain"]).then_some(())
    });
    for other in cluster.others(first) {
        let name = &cluster.nodes[other].etc.node_id;
        let warning = format!(
            "{name} is accepted without a proof of the shared secret, since \
             cluster.peer-authentication is permissive: it does not prove that it has a shared \
             secret: cluster.peer-authentication is off there, or its version is older"
        );
        let log = cluster.nodes[first].log();
        assert_eq!(log.matches(&warning).count(), 1, "{name}: {log}");
    }
    rolling::demand_proofs(&mut cluster, KIND, |_| {});
    for node in &cluster.nodes {
        assert!(PeerWire::connect(node).is_err(), "a plain peer is accepted");
        until("all prove it", FORM_LIMIT, || {
            (proofs(node)? == ["secret", "secret"]).then_some(())
        });
    }
    assert_no_secret_logged(&cluster.nodes);
}

/// The secret is rotated in three steps by changing files, without a restart and under writes.
/// Nothing is lost and no gap exceeds 2.5 s. A node that skips a step is refused until the others
/// have followed.
#[test]
fn a_secret_is_rotated_without_a_restart() {
    let mut options = with_secret();
    options.settings.retain(|(key, _)| *key != SHARED_SECRET);
    let mut cluster = Cluster::prepare(3, options);
    for node in &mut cluster.nodes {
        let file = secrets_file(node);
        write(&file, SECRET);
        node.set(SHARED_SECRET_FILE, &file.display().to_string());
    }
    cluster.start_all();
    cluster.wait_serving();
    let traffic = rolling::traffic_beside(&cluster, KIND, 3);
    rolling::wait_for_writes(&traffic);
    let began = clock::now();
    for (secrets, valid) in [
        (format!("{SECRET}\n{OTHER_SECRET}\n"), 2),
        (format!("{OTHER_SECRET}\n{SECRET}\n"), 2),
        (format!("{OTHER_SECRET}\n"), 1),
    ] {
        for node in &cluster.nodes {
            let before = reloads(node);
            write(&secrets_file(node), &secrets);
            until("the secrets are read again", RELOADED_WITHIN, || {
                (reloads(node) > before).then_some(())
            });
            let last = format!("the shared secrets of the peers have changed; {valid} accepted");
            assert!(node.log().contains(&last), "{}", node.log());
            let_pass(BETWEEN);
            rolling::wait_for_writes(&traffic);
        }
    }
    let done = rolling::stop(traffic, began, "the rotation");
    done.assert_nothing_lost_anywhere(&cluster.tokens_everywhere(KIND));

    // Back to the first secret in one step: the node is refused, and the other two continue.
    let leader = cluster.leader();
    let skipping = cluster.others(leader)[0];
    let skipped = format!("{SECRET}\n{OTHER_SECRET}\n");
    write(&secrets_file(&cluster.nodes[skipping]), &skipped);
    cluster.nodes[skipping].kill9();
    cluster.nodes[skipping].start();
    until("the skipped step is refused", RELOADED_WITHIN, || {
        let status = cluster.nodes[leader].status()?;
        let member = &status["members"][skipping];
        (member["reachable"] == false).then_some(())
    });
    cluster.nodes[leader].announce_acked(KIND, "engine", 1);
    let refused = "a peer with another shared secret";
    until("the others refuse it", FORM_LIMIT, || {
        cluster.nodes[leader].log().contains(refused).then_some(())
    });
    assert!(!cluster.nodes[skipping].is_ready());
    write(&secrets_file(&cluster.nodes[skipping]), "short");
    let kept = "line 1: a secret has at least 16 bytes, and this one has 5; \
                the last secrets stay valid";
    until("a bad file is reported", RELOADED_WITHIN, || {
        cluster.nodes[skipping].log().contains(kept).then_some(())
    });
    write(&secrets_file(&cluster.nodes[skipping]), OTHER_SECRET);
    cluster.nodes[skipping].wait_ready(RELOADED_WITHIN);
    assert_no_secret_logged(&cluster.nodes);
}

fn secrets_file(node: &Node) -> PathBuf {
    node.etc.etc_dir().join("secrets")
}

fn reloads(node: &Node) -> usize {
    node.log()
        .matches("the shared secrets of the peers have changed")
        .count()
}
