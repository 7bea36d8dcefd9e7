//! Tests of what the status of a group shows about its members.

use crate::support::cluster::FORM_LIMIT;
use crate::support::node::Node;
use crate::support::wrong_clock::WrongClock;
use crate::support::{Cluster, Options, until};
use serde_json::Value;

/// Seconds by which one clock is ahead.
const AHEAD_S: i64 = 60;
/// Uptime of the members, in seconds, after which one of them is restarted.
const RESTART_AFTER_S: u64 = 3;
/// Maximum error of a comparison of clocks, in milliseconds.
const ERROR_MS: i64 = 1_000;

/// Returns whether the member is reported completely, with a clock that is `ahead_s` seconds ahead.
fn is_reported(member: &Value, ahead_s: i64) -> bool {
    let number = |name: &str| member[name].as_i64();
    let is_ahead = number("clock_ahead_ms")
        .is_some_and(|ahead_ms| (ahead_ms - ahead_s * 1_000).abs() < ERROR_MS);
    member["version"] == env!("CARGO_PKG_VERSION")
        && number("uptime_s").is_some_and(|seconds| (0..600).contains(&seconds))
        && number("disk_floor_bytes") > Some(0)
        && number("disk_free_bytes") > number("disk_floor_bytes")
        && is_ahead
}

fn members(node: &Node) -> Vec<Value> {
    let status = node.status();
    let members = status.and_then(|status| status["members"].as_array().cloned());
    members.unwrap_or_default()
}

/// Each node shows the release, the uptime, the disk and the clock of each member, of which one is
/// wrong. The uptime of a member that restarts begins anew. Of a member that is down, only the last
/// known release stays.
#[test]
fn each_node_shows_the_reports_of_all_members() {
    let mut cluster = Cluster::prepare(3, Options::default());
    let clocks: Vec<_> = cluster.nodes.iter_mut().map(WrongClock::of).collect();
    cluster.start_all();
    cluster.wait_serving();
    clocks[1].set_ahead_s(AHEAD_S);
    let name = |node: &Node| node.status().expect("a status")["node"].clone();
    let ids: Vec<Value> = cluster.nodes.iter().map(name).collect();
    for (at, node) in cluster.nodes.iter().enumerate() {
        until("all members are reported", FORM_LIMIT, || {
            let members = members(node);
            let are_reported = members.iter().all(|member| {
                let wrong = |id: &Value| i64::from(*id == ids[1]);
                is_reported(member, (wrong(&member["node"]) - wrong(&ids[at])) * AHEAD_S)
            });
            (members.len() == 3 && are_reported).then_some(())
        });
    }

    let uptime_s = |node: &Node, id: &Value| {
        let members = members(node);
        let member = members.iter().find(|member| member["node"] == *id)?;
        member["uptime_s"].as_u64()
    };
    // Uptimes belong to the members, and go on.
    until("all members are up for a while", FORM_LIMIT, || {
        let node = &cluster.nodes[0];
        let are_older = ids
            .iter()
            .all(|id| uptime_s(node, id) >= Some(RESTART_AFTER_S));
        are_older.then_some(())
    });
    cluster.nodes[2].kill9();
    cluster.nodes[2].start();
    until("only one member is up anew", FORM_LIMIT, || {
        let [first, second, third] = [0, 1, 2].map(|at| uptime_s(&cluster.nodes[0], &ids[at]));
        let is_new = third.is_some_and(|seconds| seconds < RESTART_AFTER_S);
        (is_new && first > third && second > third).then_some(())
    });

    cluster.nodes[1].kill9();
    until("the member is unreachable", FORM_LIMIT, || {
        let members = members(&cluster.nodes[0]);
        let lost = members.iter().find(|member| member["node"] == ids[1])?;
        assert_eq!(lost["version"], env!("CARGO_PKG_VERSION"));
        let values = [
            "uptime_s",
            "disk_free_bytes",
            "disk_floor_bytes",
            "clock_ahead_ms",
        ];
        let are_gone = values.iter().all(|value| lost.get(value).is_none());
        (lost["reachable"] == false && are_gone).then_some(())
    });
}
