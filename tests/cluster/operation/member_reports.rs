//! Tests of what the status of a group shows about its members.

use crate::support::cluster::FORM_LIMIT;
use crate::support::node::Node;
use crate::support::wrong_clock::WrongClock;
use crate::support::{Cluster, Options, until};
use serde_json::Value;

/// Seconds by which one clock is ahead.
const AHEAD_S: i64 = 60;
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
    let status = node.status().expect("a status");
    status["members"].as_array().expect("a list").clone()
}

/// Each node shows the release, the uptime, the disk and the clock of each member, of which one is
/// wrong. Of a member that is down, only the last known release stays.
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

    cluster.nodes[1].kill9();
    until("the member is unreachable", FORM_LIMIT, || {
        let members = members(&cluster.nodes[0]);
        let lost = members.iter().find(|member| member["node"] == ids[1]);
        let lost = lost.expect("it is a member").clone();
        let is_lost = lost["reachable"] == false;
        is_lost.then(|| {
            assert_eq!(lost["version"], env!("CARGO_PKG_VERSION"));
            for gone in [
                "uptime_s",
                "disk_free_bytes",
                "disk_floor_bytes",
                "clock_ahead_ms",
            ] {
                assert_eq!(lost.get(gone), None);
            }
        })
    });
}
