//! Tests of the signals that end a node, and of its state report.

use crate::support::cluster::FORM_LIMIT;
use crate::support::{Cluster, Options, until};
use rustix::process::Signal;

/// Only SIGTERM, SIGINT and SIGKILL end a node. It continues to serve after all other signals.
#[test]
fn a_node_outlives_other_signals() {
    let mut cluster = Cluster::start(1, Options::default());
    let node = &mut cluster.nodes[0];
    for signal in [
        Signal::HUP,
        Signal::QUIT,
        Signal::PIPE,
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::XFSZ,
    ] {
        node.signal(signal);
        node.signal(signal);
    }
    until("the last one is taken", FORM_LIMIT, || {
        let log = node.log();
        [
            "SIGHUP is ignored",
            "SIGXFSZ is ignored",
            "end of the state",
        ]
        .iter()
        .all(|said| log.contains(said))
        .then_some(())
    });
    node.announce_acked("alive", "engine", 1);
    assert!(node.is_alive());
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
}

/// SIGQUIT writes the state of each part of a node to the node's log, at any log level. The test
/// signals the leader and a follower of a group that has lost a member.
#[test]
fn sigquit_writes_what_each_part_is_doing() {
    let mut cluster = Cluster::start(3, Options::default());
    cluster.nodes[2].kill9();
    until("the loss is noticed", FORM_LIMIT, || {
        let status = cluster.nodes[0].status()?;
        let members = status["members"].as_array()?.clone();
        members
            .iter()
            .any(|member| member["reachable"] == false)
            .then_some(())
    });
    for node in &cluster.nodes[..2] {
        node.announce_acked("held", "engine", 1);
        node.signal(Signal::QUIT);
        let log = until("the end of the report", FORM_LIMIT, || {
            Some(node.log()).filter(|log| log.contains("end of the state"))
        });
        let report: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("quorate::state"))
            .collect();
        for part in [
            "process: version ",
            ", resident ",
            &format!("group: node {}, role ", node.etc.node_id),
            "member: quorate-1 voter at http://127.0.0.1:",
            "member: quorate-3 voter at ",
            ", NOT reachable, ",
            "log: last ",
            ", committed ",
            ", applied ",
            "registry: nodes ",
            "queues: writes waiting ",
            "reads: the last was served ",
            "disk: free ",
            "http: connections ",
            ", held lookups 0 of ",
            ", watchers 0 of ",
            "runtime: workers ",
            "thread: ",
        ] {
            assert!(
                report.iter().any(|line| line.contains(part)),
                "{part}: {report:#?}"
            );
        }
        assert!(report.len() < 120, "it is bounded: {}", report.len());
    }
}

/// A group of one node stops without a warning, although it has no node to hand its leadership to.
/// At its start, its log names the data directory, and warns only that it has no shared secret.
#[test]
fn a_group_of_one_starts_and_stops_without_a_warning() {
    let mut cluster = Cluster::start(1, Options::default());
    let node = &mut cluster.nodes[0];
    assert_eq!(node.stop().code(), Some(0));
    let log = node.log();
    let data_dir = format!("data_dir={}", node.etc.data_dir().display());
    let first = log.lines().find(|line| line.contains("starting"));
    assert!(first.is_some_and(|line| line.contains(&data_dir)), "{log}");
    let is_alarming = |line: &&str| line.contains(" WARN ") || line.contains("ERROR");
    let alarming: Vec<&str> = log.lines().filter(is_alarming).collect();
    let open = "everyone who reaches this node's port can act as a member of its group";
    assert_eq!(alarming.len(), 1, "{log}");
    assert!(alarming[0].contains(open), "{log}");
}
