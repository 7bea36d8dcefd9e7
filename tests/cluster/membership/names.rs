//! Tests of host names in the inventory, with a name server that fails, hangs or returns another
//! address.

use crate::support::cluster::FORM_LIMIT;
use crate::support::node::BINARY;
use crate::support::resolver::Resolver;
use crate::support::{Cluster, Options, Write, let_pass, until};
use quorate::clock;
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Time after which a connection between nodes is reopened before its next use. A connection counts
/// as idle after a second.
const IDLE: Duration = Duration::from_millis(1_200);
/// Maximum duration of a write while names do not resolve. The limit allows for a busy machine. A
/// test with addresses in the inventory would have the same limit.
const WRITE_LIMIT: Duration = Duration::from_secs(1);
/// Maximum time without an acknowledged write after the leader is killed, as documented.
const KILL_GAP_LIMIT: Duration = Duration::from_millis(2_500);
const MAX_THREADS: u64 = 32;
/// Time after which `timeout` ends a command, in seconds. It is far longer than the 2 s for which a
/// command waits for a server.
const COMMAND_LIMIT_S: &str = "10";
/// The exit code by which `timeout` reports that it ended a command.
const TIMED_OUT: i32 = 124;

/// Starts a cluster with host names in its inventory.
fn start(count: usize) -> (Cluster, Resolver) {
    let mut cluster = Cluster::prepare(count, Options::max_age("10m").quiet());
    let resolver = Resolver::of(&mut cluster);
    cluster.start_all();
    cluster.wait_ready();
    (cluster, resolver)
}

fn threads(cluster: &Cluster, node: usize) -> u64 {
    let pid = cluster.nodes[node].pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"));
    let count = line.and_then(|line| line.trim().parse().ok());
    count.expect("a number of threads")
}

/// Writes through each of these nodes, after pauses in which every connection between nodes becomes
/// idle.
fn write_through_quiet_nodes(cluster: &Cluster, nodes: &[usize], what: &str) {
    for round in 0..4 {
        let_pass(IDLE);
        for node in nodes {
            let began = clock::now();
            let written = cluster.nodes[*node].announce("named", "engine", round);
            let took = began.elapsed();
            assert!(
                matches!(written, Write::Acked(_)),
                "while names {what}, node {node} answers {written:?} after {took:?}"
            );
            assert!(
                took <= WRITE_LIMIT,
                "while names {what}, node {node} takes {took:?}"
            );
            let threads = threads(cluster, *node);
            assert!(threads < MAX_THREADS, "node {node} has {threads} threads");
        }
    }
}

/// A group with host names in its inventory is not affected when names stop resolving, or when the
/// name server hangs or is slow: every node accepts writes, a killed leader is replaced as fast as
/// with a working name server, and the number of threads stays small.
#[test]
fn names_that_do_not_resolve_stop_nothing() {
    let (mut cluster, resolver) = start(3);
    for what in ["fail", "hang", "slow 400"] {
        resolver.order(&format!("* {what}"));
        let kind = what.split(' ').next().unwrap_or_default();
        write_through_quiet_nodes(&cluster, &[0, 1, 2], what);
        let killed = cluster.leader();
        cluster.nodes[killed].kill9();
        let began = clock::now();
        let others = cluster.others(killed);
        for node in &others {
            until("a write goes on", FORM_LIMIT, || {
                let written = cluster.nodes[*node].announce("named", "engine", 9);
                matches!(written, Write::Acked(_)).then_some(())
            });
        }
        let gap = began.elapsed();
        println!("names {what}: writes went on {gap:?} after the leader was killed");
        assert!(gap <= KILL_GAP_LIMIT, "names {what}: {gap:?}");
        write_through_quiet_nodes(&cluster, &others, what);
        assert!(
            resolver.count(kind) > 0,
            "nobody asked for a name that is to {what}"
        );
        resolver.mend();
        cluster.nodes[killed].start();
        cluster.wait_ready();
    }
    let log = cluster.nodes[0].log();
    assert!(
        log.contains(".test does not resolve"),
        "the log names no name"
    );
    assert!(
        log.contains("resolves again"),
        "the log does not say that it is over"
    );
}

/// A node whose name gets a new address is found at that address at once. This happens when a pod
/// is replaced.
#[test]
fn a_node_that_moved_is_found_by_its_name() {
    let (mut cluster, resolver) = start(3);
    let moved = cluster.others(cluster.leader())[0];
    let seen_by = cluster.leader();
    let name = cluster.nodes[moved].etc.node_id.clone();
    cluster.nodes[moved].stop();
    let properties = cluster.nodes[moved].etc.etc_dir().join("node.properties");
    let text = fs::read_to_string(&properties).expect("the test's own file");
    let text = text.replace("node.bind-ip=127.0.0.1", "node.bind-ip=127.0.0.77");
    fs::write(&properties, text).expect("the test's own file");
    let is_reached = |cluster: &Cluster| {
        let status = cluster.nodes[seen_by].status()?;
        let members = status["members"].as_array()?.clone();
        let mut members = members.iter();
        let member = members.find(|member| member["node"] == name.as_str())?;
        Some(member["reachable"] == true)
    };
    until("it is missed", FORM_LIMIT, || {
        (is_reached(&cluster) == Some(false)).then_some(())
    });
    resolver.order(&format!("{} 127.0.0.77", Resolver::name_of(&name)));
    let began = clock::now();
    cluster.nodes[moved].start();
    until("the others reach it at its new address", FORM_LIMIT, || {
        (is_reached(&cluster) == Some(true)).then_some(())
    });
    println!(
        "it was reached at its new address after {:?}",
        began.elapsed()
    );
}

/// A node whose group cannot form reports the name that does not resolve. A restarted node that
/// cannot reach a majority for this reason also reports the name. Both nodes continue automatically
/// once names resolve.
#[test]
fn a_node_names_the_name_that_does_not_resolve() {
    let mut cluster = Cluster::prepare(3, Options::max_age("10m"));
    let resolver = Resolver::of(&mut cluster);
    resolver.order("quorate-2.test fail\nquorate-3.test hang");
    cluster.start_all();
    let says = |status: Option<Value>, name: &str| {
        let status = status?;
        let waits_for = status["waits_for"].as_str()?;
        waits_for
            .contains(&format!("{name}.test does not resolve"))
            .then(|| waits_for.to_owned())
    };
    for name in ["quorate-2", "quorate-3"] {
        let text = until("the name is named", FORM_LIMIT, || {
            says(cluster.nodes[0].status(), name)
        });
        println!("{text}");
        assert!(!text.contains("not answer"), "{text}");
    }
    resolver.mend();
    cluster.wait_ready();

    cluster.stop_all();
    resolver.order("* fail");
    cluster.start_all();
    let text = until("the name is named", FORM_LIMIT, || {
        says(cluster.nodes[0].status(), "quorate-2")
    });
    println!("{text}");
    let refused = cluster.nodes[0].get("/v1/service").expect("an answer");
    assert_eq!(refused.status, 503);
    assert!(
        refused.body.contains("does not resolve"),
        "{}",
        refused.body
    );
    resolver.mend();
    cluster.wait_ready();
}

/// A command ends at its own timeout, although the name server hangs.
#[test]
fn a_command_ends_though_the_name_server_hangs() {
    let mut cluster = Cluster::prepare(1, Options::default());
    let resolver = Resolver::of(&mut cluster);
    resolver.order("* hang");
    let etc = &cluster.nodes[0].etc;
    let server = format!("http://{}:{}", Resolver::name_of(&etc.node_id), etc.port);
    let ended = Command::new("timeout")
        .args([COMMAND_LIMIT_S, BINARY, "cluster", "--server", &server])
        .envs(cluster.nodes[0].environment.iter().cloned())
        .stdout(Stdio::null())
        .status()
        .expect("timeout is there");
    assert_ne!(ended.code(), Some(TIMED_OUT), "it did not end");
    assert!(resolver.count("hang") > 0, "nobody asked for the name");
}
