use crate::support::cluster::FORM_LIMIT;
use crate::support::recorded::{Crowd, Recorded};
use crate::support::{Cluster, Mesh, Options, let_pass, until};
use quorate::clock;
use quorate::config::exit_code;
use quorate_checker::MaxAge;
use quorate_checker::certificate::certify;
use quorate_checker::groups::check_groups;
use quorate_checker::history::Operation;
use quorate_checker::log::Log;
use quorate_checker::random::Random;
use std::fs;
use std::time::Duration;

const MAX_AGE: Duration = Duration::from_secs(3);
const CROWD: Crowd = Crowd {
    clients: 24,
    groups: 8,
    seed: 20_260_601,
};
/// Longer than an election, shorter than max-age.
const FAULT_LASTS: Duration = Duration::from_millis(1_500);
/// What must be served between two faults, so that each falls into traffic.
const CALM: u64 = 300;
/// A run with fewer operations proves too little.
const OPERATIONS_MIN: usize = 25_000;
/// A history that is in order is judged in a second or two.
const JUDGED_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
enum Fault {
    KillLeader,
    KillFollower,
    KillMajority,
    KillAll,
    StopLeader,
    StopFollower,
    FreezeLeader,
    FreezeFollower,
    FreezeAll,
    EmptyFollower,
    PartLeader,
    PartFollower,
    DeafLeader,
    DumbLeader,
    PartTwo,
    FlipBit,
}

const FAULTS: [Fault; 16] = [
    Fault::KillLeader,
    Fault::FreezeLeader,
    Fault::PartLeader,
    Fault::EmptyFollower,
    Fault::KillMajority,
    Fault::DeafLeader,
    Fault::StopLeader,
    Fault::FreezeAll,
    Fault::DumbLeader,
    Fault::KillFollower,
    Fault::PartTwo,
    Fault::FlipBit,
    Fault::PartFollower,
    Fault::StopFollower,
    Fault::FreezeFollower,
    Fault::KillAll,
];

/// Proves that what 24 clients see of a cluster whose processes, disks and links fail in sixteen ways is one order of
/// events, in which nothing acknowledged is lost, nothing expires early and no lookup is old: by a search that does not
/// trust the cluster, and by the order that its indexes name, against the log that each node kept.
#[test]
fn what_clients_see_has_one_order_whatever_fails() {
    let settings = vec![("discovery.max-age", "3s")];
    let options = Options {
        settings,
        ..Options::default()
    };
    let (mut cluster, mesh) = Mesh::start(3, options);
    let addresses = cluster.nodes.iter().map(|node| node.address()).collect();
    let clients = Recorded::start(CROWD, addresses);
    let mut random = Random::new(CROWD.seed);
    let mut nth = 0;
    // All of them once, and on until there is enough to judge.
    while nth < FAULTS.len() || clients.served() < OPERATIONS_MIN as u64 {
        let fault = FAULTS[nth % FAULTS.len()];
        disturb(&mut cluster, &mesh, fault, &mut random);
        let enough = clients.served() + CALM;
        until(
            &format!("traffic goes on after {fault:?}"),
            FORM_LIMIT,
            || (clients.served() >= enough).then_some(()),
        );
        nth += 1;
    }
    cluster.wait_ready();
    let history = clients.stop();
    println!(
        "{nth} faults of {} kinds, {} operations",
        FAULTS.len(),
        history.len()
    );
    assert!(history.len() >= OPERATIONS_MIN);
    judge(&mut cluster, &history);
}

fn judge(cluster: &mut Cluster, history: &[Operation]) {
    let max_age = MaxAge::from_ns(MAX_AGE.as_nanos() as u64);
    let deadline = clock::now() + JUDGED_WITHIN;
    let groups = check_groups(history, max_age, &mut || clock::now() > deadline);
    if !groups.is_linearizable() {
        panic!("{}", groups.explain(history));
    }
    println!(
        "by search: {} operations in {} groups",
        groups.calls, groups.groups
    );
    cluster.stop_all();
    let mut from_the_beginning = false;
    for node in &cluster.nodes {
        let log = Log::read(node.committed_log().as_bytes(), "token").expect("the log is readable");
        from_the_beginning |= log.is_complete;
        let certificate = certify(history, Some(&log), max_age);
        assert!(
            certificate.holds(),
            "by the log of {}: {}",
            node.etc.node_id,
            certificate.explain(history)
        );
        println!(
            "by the log of {}, from {} on: {} changes, {} lookups, {} of unknown fate, {} expiries",
            node.etc.node_id,
            log.from_index,
            certificate.writes,
            certificate.lookups,
            certificate.unknown_placed,
            certificate.expiries
        );
    }
    assert!(
        from_the_beginning,
        "no log goes back to the first change: what became of it was not judged"
    );
}

/// Makes it happen, lets it last, and mends it.
fn disturb(cluster: &mut Cluster, mesh: &Mesh, fault: Fault, random: &mut Random) {
    let leader = cluster.leader();
    let others = cluster.others(leader);
    let (follower, third) = match random.below(2) {
        0 => (others[0], others[1]),
        _ => (others[1], others[0]),
    };
    match fault {
        Fault::KillLeader => kill(cluster, &[leader]),
        Fault::KillFollower => kill(cluster, &[follower]),
        Fault::KillMajority => kill(cluster, &[leader, follower]),
        Fault::KillAll => {
            cluster.kill9_all();
            cluster.start_all();
        }
        Fault::StopLeader => stop(cluster, leader),
        Fault::StopFollower => stop(cluster, follower),
        Fault::FreezeLeader => freeze(cluster, &[leader]),
        Fault::FreezeFollower => freeze(cluster, &[follower]),
        Fault::FreezeAll => freeze(cluster, &[0, 1, 2]),
        Fault::EmptyFollower => empty(cluster, follower),
        Fault::FlipBit => flip_bit(cluster, follower, random),
        Fault::PartLeader => part(mesh, &[(leader, follower), (leader, third)]),
        Fault::PartFollower => part(mesh, &[(follower, leader), (follower, third)]),
        Fault::PartTwo => part(mesh, &[(leader, follower)]),
        Fault::DeafLeader => lose(mesh, &[(follower, leader), (third, leader)]),
        Fault::DumbLeader => lose(mesh, &[(leader, follower), (leader, third)]),
    }
    cluster.wait_serving();
}

fn kill(cluster: &mut Cluster, victims: &[usize]) {
    victims.iter().for_each(|i| cluster.nodes[*i].kill9());
    let_pass(FAULT_LASTS);
    victims.iter().for_each(|i| cluster.nodes[*i].start());
}

fn stop(cluster: &mut Cluster, victim: usize) {
    let status = cluster.nodes[victim].stop();
    assert_eq!(status.code(), Some(0), "{status}");
    cluster.nodes[victim].start();
}

fn freeze(cluster: &Cluster, victims: &[usize]) {
    victims.iter().for_each(|i| cluster.nodes[*i].pause());
    let_pass(FAULT_LASTS);
    victims.iter().for_each(|i| cluster.nodes[*i].resume());
}

fn empty(cluster: &mut Cluster, victim: usize) {
    cluster.nodes[victim].kill9();
    cluster.nodes[victim].wipe();
    cluster.nodes[victim].start();
    cluster.nodes[victim].wait_ready(FORM_LIMIT);
}

/// A node with a wrong bit in its log refuses to start, or never read it; one that refuses is emptied. In the last batch, which
/// was not sealed yet, it looks like a torn write: the node starts without it, and the others refuse it.
fn flip_bit(cluster: &mut Cluster, victim: usize, random: &mut Random) {
    let node = &mut cluster.nodes[victim];
    node.kill9();
    let log = node.etc.data_dir().join("raft/raft.redb");
    let mut bytes = fs::read(&log).expect("a killed node has a log");
    let at = random.below(bytes.len() as u64) as usize;
    bytes[at] ^= 1 << random.below(8);
    fs::write(&log, bytes).expect("a killed node's log can be written");
    node.start();
    let refused = until("it serves or refuses", FORM_LIMIT, || {
        if !node.is_alive() {
            return Some(true);
        }
        node.is_ready().then_some(false)
    });
    if refused {
        let status = node.ended("a wrong bit");
        let refusals = [exit_code::DATA_CORRUPT, exit_code::IDENTITY].map(|code| Some(code.into()));
        assert!(refusals.contains(&status.code()), "{status}");
        node.wipe();
        node.start();
        node.wait_ready(FORM_LIMIT);
    }
}

fn part(mesh: &Mesh, pairs: &[(usize, usize)]) {
    let both_ways: Vec<_> = pairs
        .iter()
        .flat_map(|(a, b)| [(*a, *b), (*b, *a)])
        .collect();
    lose(mesh, &both_ways);
}

fn lose(mesh: &Mesh, links: &[(usize, usize)]) {
    let before = mesh.lost_bytes();
    links.iter().for_each(|(from, to)| mesh.lose(*from, *to));
    let_pass(FAULT_LASTS);
    mesh.heal();
    assert!(mesh.lost_bytes() > before, "nothing went over {links:?}");
}
