//! Tests of joining nodes that do not become voters.

use crate::support::cluster::{FORM_LIMIT, members, voters};
use crate::support::peer_wire::{JOIN, PeerWire, join_request, request};
use crate::support::{Cluster, Options, let_pass, until};
use serde_json::Value;
use std::fs;
use std::time::Duration;

/// Time for which join requests are sent while the member is down. It is longer than the 30 s of
/// silence after which a member may be replaced.
const AWAY: Duration = Duration::from_secs(34);
const WISH_INTERVAL: Duration = Duration::from_millis(500);

fn learners(status: &Value) -> Vec<String> {
    let members = status["members"].as_array().cloned().unwrap_or_default();
    let learners = members.iter().filter(|member| member["role"] == "learner");
    learners
        .filter_map(|member| member["node"].as_str().map(str::to_owned))
        .collect()
}

fn three_voters_and_no_learner(cluster: &Cluster) {
    until("three voters and no learner", FORM_LIMIT, || {
        let status = cluster.nodes[cluster.leader()].status()?;
        (voters(&status).len() == 3 && members(&status).len() == 3).then_some(())
    });
}

/// A join request in the name of a member that is down does not replace this member. The address in
/// the request makes no difference, even if it is the member's own address, at which nothing
/// responds. When the member returns, it is a voter as before.
#[test]
fn a_wish_in_the_name_of_a_member_that_is_down_changes_nothing() {
    let mut cluster = Cluster::start(3, Options::max_age("10m").quiet());
    cluster.nodes[0].announce_acked("kept", "engine", 1);
    let down = cluster.others(cluster.leader())[0];
    let name = cluster.nodes[down].etc.node_id.clone();
    let addresses = [
        cluster.nodes[down].url(),
        "http://127.0.0.1:9".to_owned(),
        "a".repeat(500),
        "a".repeat(10_000),
    ];
    cluster.nodes[down].kill9();
    let rounds = AWAY.as_millis() / WISH_INTERVAL.as_millis();
    for round in 0..rounds as usize {
        let leader = cluster.leader_other_than(Some(down));
        let address = &addresses[round % addresses.len()];
        let (mut wire, _) = PeerWire::as_non_member(&cluster.nodes[leader]).expect("it is let in");
        wire.frame(&request(JOIN, &join_request(&name, 99, address)))
            .expect("it is sent");
        wire.receive().expect("it is answered");
        let_pass(WISH_INTERVAL);
    }
    let status = cluster.nodes[cluster.leader_other_than(Some(down))].status();
    let status = status.expect("a status");
    assert_eq!(learners(&status), Vec::<String>::new(), "{status}");
    cluster.nodes[down].start();
    cluster.wait_ready();
    three_voters_and_no_learner(&cluster);
}

/// A learner that does not catch up is removed. The learner of this test is a process with an
/// emptied disk, which was added in a member's place and has died. The member returns with its
/// data.
#[test]
fn a_learner_makes_room_for_the_member_that_comes_back() {
    let mut cluster = Cluster::start(3, Options::max_age("10m").quiet());
    cluster.nodes[0].announce_acked("kept", "engine", 1);
    let leader = cluster.leader();
    let replaced = cluster.others(leader)[0];
    let data = cluster.nodes[replaced].etc.data_dir();
    let kept = cluster.dir().join("kept");
    cluster.nodes[replaced].stop();
    fs::rename(&data, &kept).expect("a temporary directory");
    cluster.nodes[replaced].start();
    until("the emptied node is a learner", FORM_LIMIT, || {
        let status = cluster.nodes[leader].status()?;
        (!learners(&status).is_empty()).then_some(())
    });
    cluster.nodes[replaced].pause();
    let_pass(2 * WISH_INTERVAL);
    let status = cluster.nodes[leader].status().expect("a status");
    assert_eq!(
        learners(&status).len(),
        1,
        "it was stopped too late: {status}"
    );
    cluster.nodes[replaced].kill9();
    fs::remove_dir_all(&data).expect("a temporary directory");
    fs::rename(&kept, &data).expect("a temporary directory");
    cluster.nodes[replaced].start();
    three_voters_and_no_learner(&cluster);
    cluster.wait_ready();
    let seen = cluster.nodes[replaced].tokens("kept").expect("it serves");
    assert_eq!(seen.get("engine"), Some(&1));
}
