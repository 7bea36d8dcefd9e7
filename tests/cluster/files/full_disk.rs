//! Tests of real file systems that fill up.

use crate::support::cluster::FORM_LIMIT;
use crate::support::small_disk::{SmallDisk, SmallDisks};
use crate::support::traffic::Traffic;
use crate::support::{Cluster, Options, Write, until};
use quorate::config::exit_code;
use std::io::{self, Write as _};

/// The size of each node's disk, in MiB. A node accepts no new data while less than an eighth of it
/// is free (the floor).
const DISK_MIB: u64 = 24;
/// Free space that is below the floor, but enough for the data that a node still writes.
const BELOW_FLOOR: u64 = 2 << 20;
/// Number of acknowledgements or of lookups after which the cluster counts as working.
const CALM: usize = 30;

fn writes_go_on(traffic: &Traffic) {
    let acked = traffic.acked() + CALM;
    until("writes go on", FORM_LIMIT, || {
        (traffic.acked() >= acked).then_some(())
    });
}

fn lookups_go_on(traffic: &Traffic) {
    let served = traffic.served() + CALM;
    until("lookups go on", FORM_LIMIT, || {
        (traffic.served() >= served).then_some(())
    });
}

/// Waits until a node logs a message after the first `from` bytes of its log.
fn wait_said(cluster: &Cluster, node: usize, from: usize, what: &str) {
    until(what, FORM_LIMIT, || {
        cluster.nodes[node].log()[from..]
            .contains(what)
            .then_some(())
    });
}

/// Restarts the nodes that ended for lack of space, as a supervisor does. Returns the number of
/// restarted nodes.
fn supervise(cluster: &mut Cluster) -> usize {
    let mut restarted = 0;
    for node in &mut cluster.nodes {
        if !node.is_alive() {
            let status = node.ended("a full disk");
            assert_eq!(status.code(), Some(exit_code::DISK_FAILED.into()));
            node.start();
            restarted += 1;
        }
    }
    restarted
}

/// On real file systems of 24 MB, a full disk loses no acknowledged write. A follower whose free
/// space is below the floor logs this, and the cluster continues. If the leader's free space is
/// below the floor too, no write is acknowledged, and lookups continue. A node whose disk has no
/// free byte at all stops no other node. Every node returns without manual repair once there is
/// space.
///
/// A user who may not mount a file system gets a message in place of the test. The only proof left
/// is `a_write_without_space_ends_the_process_until_there_is_some`.
#[test]
fn a_small_disk_that_fills_up_loses_nothing() {
    let mut cluster = Cluster::prepare(3, Options::max_age("10m"));
    let (_namespace, disks) = match SmallDisks::of(&mut cluster.nodes, DISK_MIB) {
        Ok(disks) => disks,
        Err(reason) => {
            // The message bypasses the test harness, which shows no output of a test that passes.
            let _ = writeln!(
                io::stderr(),
                "not proved here, since this user may not mount a tmpfs: {reason}"
            );
            return;
        }
    };
    cluster.start_all();
    cluster.wait_ready();
    let addresses: Vec<_> = cluster.nodes.iter().map(|node| node.address()).collect();
    let mut traffic = Traffic::start("full", &addresses);
    traffic.read_from(&addresses);
    writes_go_on(&traffic);

    below_the_floor(&cluster, &disks, &traffic);
    without_a_byte(&mut cluster, &disks, &traffic);

    let done = traffic.stop();
    println!("{} writes acknowledged", done.acked());
    done.assert_nothing_lost_anywhere(&cluster.tokens_everywhere("full"));
}

/// Fills the disk of a follower below the floor, and the disk of the leader after that.
fn below_the_floor(cluster: &Cluster, disks: &[SmallDisk], traffic: &Traffic) {
    let leader = cluster.leader();
    let follower = cluster.others(leader)[0];
    let said: Vec<usize> = cluster.nodes.iter().map(|node| node.log().len()).collect();
    disks[follower].fill(BELOW_FLOOR);
    wait_said(cluster, follower, said[follower], "the disk is almost full");
    writes_go_on(traffic);
    lookups_go_on(traffic);

    let leader = cluster.leader();
    disks[leader].fill(BELOW_FLOOR);
    wait_said(cluster, leader, said[leader], "the disk is almost full");
    until("writes are refused", FORM_LIMIT, || {
        let answer = cluster.nodes[leader].announce("probe", "probe", 1);
        (!matches!(answer, Write::Acked(_))).then_some(())
    });
    let acked = traffic.acked();
    lookups_go_on(traffic);
    assert_eq!(traffic.acked(), acked, "acknowledged by one disk of three");

    for node in [leader, follower] {
        disks[node].free_up();
        wait_said(
            cluster,
            node,
            said[node],
            "there is space on the disk again",
        );
    }
    cluster.wait_ready();
    writes_go_on(traffic);
}

/// Fills the leader's disk until no byte is free.
fn without_a_byte(cluster: &mut Cluster, disks: &[SmallDisk], traffic: &Traffic) {
    let full = cluster.leader();
    disks[full].fill(0);
    let acked = traffic.acked() + CALM;
    until("the others go on", FORM_LIMIT, || {
        supervise(cluster);
        (traffic.acked() >= acked).then_some(())
    });
    // A node that has to create a file cannot start on a full disk. The test removes the node's pid
    // file, so that each start of the node fails and the supervisor restarts it.
    cluster.nodes[full].stop();
    disks[full].remove("var/run/launcher.pid");
    disks[full].fill(0);
    cluster.nodes[full].start();
    let acked = traffic.acked() + CALM;
    let mut restarts = 0;
    until(
        "the others go on beside a node that cannot start",
        FORM_LIMIT,
        || {
            restarts += supervise(cluster);
            (traffic.acked() >= acked && restarts > 0).then_some(())
        },
    );
    println!("{restarts} restarts on the full disk");
    disks[full].free_up();
    until("the node comes back by itself", FORM_LIMIT, || {
        supervise(cluster);
        cluster.nodes[full].is_ready().then_some(())
    });
    cluster.wait_ready();
    writes_go_on(traffic);
}
