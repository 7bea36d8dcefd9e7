//! Restarts the nodes of a cluster one by one, under writes and lookups through the others.

use super::cluster::{Cluster, FORM_LIMIT};
use super::etc::write;
use super::node::{Node, PATIENCE};
use super::secured::{enable_https, make_token, trust_client_certificates};
use crate::support::engines_secret::SECRET;
use crate::support::http;
use crate::support::traffic::{Done, Traffic};
use crate::support::wait::until;
use quorate::clock::{self, Instant};
use std::net::SocketAddr;
use std::time::Duration;

/// Maximum time without an acknowledged write while a group is changed.
const MAX_GAP: Duration = Duration::from_millis(2_500);
/// Number of writes that are acknowledged between two steps. Nodes compare digests of their states
/// at every 64th entry, so these writes cover several comparisons.
const WRITES_BETWEEN: usize = 500;

/// Starts writers and readers at the nodes that stay up while another one is restarted.
pub fn traffic_beside(cluster: &Cluster, kind: &str, restarted: usize) -> Traffic {
    let others: Vec<SocketAddr> = cluster
        .others(restarted)
        .into_iter()
        .map(|i| cluster.nodes[i].address())
        .collect();
    let mut traffic = Traffic::start(kind, &others);
    traffic.read_from(&others);
    traffic
}

/// Waits until some more writes are acknowledged.
pub fn wait_for_writes(traffic: &Traffic) {
    let before = traffic.acked();
    until("writes are acknowledged", FORM_LIMIT, || {
        (traffic.acked() >= before + WRITES_BETWEEN).then_some(())
    });
}

/// Returns the positions of the nodes in the order in which they are restarted: the leader is last.
pub fn order(cluster: &Cluster) -> Vec<usize> {
    let leader = cluster.leader();
    let mut order = cluster.others(leader);
    order.push(leader);
    order
}

/// Stops a node, changes it, and starts it again, under writes and lookups through the other nodes.
/// Panics if no write is acknowledged for too long, or if a lookup lacks an acknowledged write.
pub fn restart(
    cluster: &mut Cluster,
    kind: &str,
    node: usize,
    change: impl FnOnce(&mut Node),
) -> Done {
    let traffic = traffic_beside(cluster, kind, node);
    wait_for_writes(&traffic);
    let stopped_at = clock::now();
    let status = cluster.nodes[node].stop();
    assert_eq!(status.code(), Some(0), "the node ends cleanly");
    change(&mut cluster.nodes[node]);
    cluster.nodes[node].start();
    cluster.nodes[node].wait_ready(FORM_LIMIT);
    wait_for_writes(&traffic);
    stop(traffic, stopped_at, &format!("node {node}"))
}

/// Stops traffic, and returns its record. Panics if no write was acknowledged for too long since
/// `from`. `what` names the change that was made meanwhile.
pub fn stop(traffic: Traffic, from: Instant, what: &str) -> Done {
    let done = traffic.stop();
    let gap = done.longest_gap(from);
    println!(
        "{what}: writes stood still for {gap:?} at most, {} acknowledged",
        done.acked()
    );
    assert!(gap <= MAX_GAP, "{what}: writes stood still for {gap:?}");
    done
}

/// The modes of peers and of engines in the four rounds from no secret to a required one.
const ROUNDS: [(&str, &str); 4] = [
    ("permissive", "off"),
    ("require", "off"),
    ("require", "verify"),
    ("require", "require"),
];

/// Changes a group without a secret to one in which everyone must prove who they are: first peers,
/// then engines, and at last people and clients that look up, with HTTPS beside HTTP. The nodes are
/// restarted one by one, in five rounds, as docs/SECURITY-SETUP.md describes. `begin` changes each
/// node before its first restart. Panics as [`restart`] does.
pub fn demand_proofs(cluster: &mut Cluster, kind: &str, begin: impl Fn(&mut Node)) {
    for (peers, engines) in ROUNDS {
        for node in order(cluster) {
            let done = restart(cluster, kind, node, |node| {
                begin(node);
                node.set("internal-communication.shared-secret", SECRET);
                node.set("cluster.peer-authentication", peers);
                node.set("discovery.announcement.authentication", engines);
            });
            done.assert_nothing_lost_anywhere(&cluster.tokens_everywhere(kind));
        }
    }
    let (_, line) = make_token("ops", "write");
    for node in order(cluster) {
        let done = restart(cluster, kind, node, |node| {
            let tokens = node.etc.etc_dir().join("tokens");
            write(&tokens, &line);
            node.set("cluster.tokens-file", &tokens.display().to_string());
            node.set("discovery.read-authentication", "require");
            enable_https(node);
            trust_client_certificates(node);
        });
        done.assert_nothing_lost_anywhere(&cluster.tokens_everywhere(kind));
    }
    for node in &cluster.nodes {
        let lookup = http::request(node.address(), "GET", "/v1/service", None, PATIENCE);
        assert_eq!(lookup.expect("an answer").status, 401, "without a token");
        let status = node.status().expect("a status");
        assert_eq!(status["security"], "required", "{status}");
    }
}
