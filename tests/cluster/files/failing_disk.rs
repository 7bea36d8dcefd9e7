//! Tests of writes, syncs, truncations and renames that fail, at any time of a node's life.

use crate::support::cluster::FORM_LIMIT;
use crate::support::failing_disk::{EIO, FailingDisk, Order};
use crate::support::traffic::Traffic;
use crate::support::{Cluster, Options, until};
use quorate::config::exit_code;
use std::collections::BTreeSet;

/// Number of acknowledgements and of lookups that must happen between two failures.
const CALM: usize = 30;

/// Starts a cluster whose disks can be made to fail. At first all disks work.
fn cluster() -> (Cluster, Vec<FailingDisk>) {
    let mut cluster = Cluster::prepare(3, Options::max_age("10m"));
    let disks = cluster.nodes.iter_mut().map(FailingDisk::of).collect();
    cluster.start_all();
    cluster.wait_serving();
    cluster.wait_ready();
    (cluster, disks)
}

/// Starts clients that write and read through every node.
fn traffic(cluster: &Cluster) -> Traffic {
    let addresses: Vec<_> = cluster.nodes.iter().map(|node| node.address()).collect();
    let mut traffic = Traffic::start("disk", &addresses);
    traffic.read_from(&addresses);
    goes_on(&traffic);
    traffic
}

/// Waits until writes and lookups continue.
fn goes_on(traffic: &Traffic) {
    let (acked, served) = (traffic.acked() + CALM, traffic.served() + CALM);
    until("writes and lookups go on", FORM_LIMIT, || {
        (traffic.acked() >= acked && traffic.served() >= served).then_some(())
    });
}

/// Returns the leader if `leads` is true, otherwise a follower.
fn victim(cluster: &Cluster, leads: bool) -> usize {
    let leader = cluster.leader();
    match leads {
        true => leader,
        false => cluster.others(leader)[0],
    }
}

/// Makes the disk work again, starts the node that ended, and waits until it serves.
fn comes_back(cluster: &mut Cluster, disk: &FailingDisk, node: usize, traffic: &Traffic) {
    disk.mend();
    disk.clear_report();
    cluster.nodes[node].start();
    cluster.wait_ready();
    goes_on(traffic);
}

/// Waits for the end of a node whose disk was made to fail. The node must exit with one of the
/// `codes`, and log the failure, its file and the reason in one line.
fn must_end(
    cluster: &mut Cluster,
    disk: &FailingDisk,
    node: usize,
    codes: &[u8],
    said_before: usize,
) {
    let status = cluster.nodes[node].ended("a failing disk");
    let log = cluster.nodes[node].log();
    let said = &log[said_before..];
    let report = disk.report();
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    assert!(
        code.is_some_and(|code| codes.contains(&code)),
        "{status}: {report:?}\n{said}"
    );
    let failed = report.first().expect("something failed");
    let file = failed.rsplit(' ').next().expect("a path");
    let line = said
        .lines()
        .find(|line| line.contains(file) && line.contains("os error"));
    assert!(line.is_some(), "{failed} is not told:\n{said}");
    assert!(!said.contains("panicked at"), "{said}");
}

/// Stops the traffic, and checks that every node shows all acknowledged writes and that all nodes
/// show the same.
fn nothing_lost(mut cluster: Cluster, traffic: Traffic) {
    let done = traffic.stop();
    let seen = cluster.tokens_everywhere("disk");
    assert_eq!(seen.len(), 3);
    done.assert_nothing_lost_anywhere(&seen);
    println!("{} writes acknowledged", done.acked());
}

/// A failed write or sync ends the process of the leader or a follower, and loses no acknowledged
/// write. The failure is one write, one sync, or every sync from some time on. The process syncs
/// nothing after the failure. It exits with its documented exit code and a log line that names the
/// file. The other nodes continue. The node recovers without manual repair when it is started again
/// with a working disk.
#[test]
fn a_failed_write_or_sync_ends_the_process_and_loses_nothing() {
    let (mut cluster, disks) = cluster();
    let traffic = traffic(&cluster);
    let cases = [
        (true, Order::once("s", "raft.redb", EIO)),
        (false, Order::once("w", "raft.redb", EIO)),
        (false, Order::once("s", "raft.redb", EIO)),
        (true, Order::from_now_on("s", "*", EIO)),
        (true, Order::once("w", "raft.redb", EIO)),
        (false, Order::once("s", "raft.journal", EIO)),
        (true, Order::once("w", "raft.journal", EIO)),
    ];
    for (leads, order) in cases {
        let victim = victim(&cluster, leads);
        println!("{order:?} on node {victim}, leader: {leads}");
        let said = cluster.nodes[victim].log().len();
        disks[victim].fail(&order);
        must_end(
            &mut cluster,
            &disks[victim],
            victim,
            &[exit_code::DISK_FAILED],
            said,
        );
        let report = disks[victim].report();
        assert!(
            report[0].starts_with(&format!("failed {} ", order.kinds)),
            "{report:?}"
        );
        let again = report[1..].iter().find(|line| line.contains(" s "));
        assert_eq!(again, None, "synced after a failure: {report:?}");
        goes_on(&traffic);
        comes_back(&mut cluster, &disks[victim], victim, &traffic);
    }
    nothing_lost(cluster, traffic);
}

/// If the disk fails while a node starts, with or without data, the node reports the file and ends.
/// It starts again when the disk works, and nothing is lost.
#[test]
fn a_disk_that_fails_at_the_start_is_told_and_harms_nothing() {
    let (mut cluster, disks) = cluster();
    let traffic = traffic(&cluster);
    let victim = victim(&cluster, false);
    for (emptied, order) in [
        (false, Order::once("s", "raft.redb", EIO)),
        (false, Order::once("w", "raft.redb", EIO)),
        (false, Order::once("s", "/raft", EIO)),
        (true, Order::once("r", "raft.redb", EIO)),
        (true, Order::once("s", "raft.redb.tmp", EIO)),
        (true, Order::once("w", "raft.redb.tmp", EIO)),
        (true, Order::once("r", "raft.journal", EIO)),
        (true, Order::once("s", "raft.journal.tmp", EIO)),
    ] {
        println!("{order:?}, emptied: {emptied}");
        cluster.nodes[victim].stop();
        if emptied {
            cluster.nodes[victim].wipe();
        }
        let said = cluster.nodes[victim].log().len();
        disks[victim].fail(&order);
        cluster.nodes[victim].start();
        must_end(
            &mut cluster,
            &disks[victim],
            victim,
            &[exit_code::DATA_UNUSABLE],
            said,
        );
        comes_back(&mut cluster, &disks[victim], victim, &traffic);
    }
    nothing_lost(cluster, traffic);
}

/// A node that starts with an emptied disk ends if any write, sync, truncation or rename fails. The
/// start creates the data directory and begins to rejoin the group. No other node is affected.
#[test]
fn every_operation_of_a_start_may_fail() {
    /// Number of operations, each of which fails once. After this many, the data directory is
    /// created and opened, and the first entries of the log are written.
    const OPERATIONS: u64 = 95;
    let (mut cluster, disks) = cluster();
    let traffic = traffic(&cluster);
    let victim = victim(&cluster, false);
    cluster.nodes[victim].stop();
    let mut struck = BTreeSet::new();
    for number in 1..=OPERATIONS {
        cluster.nodes[victim].wipe();
        let said = cluster.nodes[victim].log().len();
        disks[victim].fail(&Order {
            from: number,
            to: number,
            ..Order::once("wstr", "*", EIO)
        });
        cluster.nodes[victim].start();
        must_end(
            &mut cluster,
            &disks[victim],
            victim,
            &[exit_code::DATA_UNUSABLE, exit_code::DISK_FAILED],
            said,
        );
        let failed = disks[victim].report().swap_remove(0);
        let (kind, path) = failed.rsplit_once(' ').expect("what and which file");
        let name = path.rsplit('/').next().unwrap_or_default();
        struck.insert(format!("{kind} {name}"));
        disks[victim].clear_report();
    }
    println!("{struck:?}");
    for what in [
        "failed w raft.redb.tmp",
        "failed s raft.redb.tmp",
        "failed r raft.redb",
        "failed s raft",
        "failed w raft.redb",
        "failed s raft.redb",
        "failed w raft.journal.tmp",
        "failed w raft.journal",
    ] {
        assert!(struck.contains(what), "{what} is not among {struck:?}");
    }
    comes_back(&mut cluster, &disks[victim], victim, &traffic);
    nothing_lost(cluster, traffic);
}

/// A write without disk space ends the process, on the leader or a follower. The exit code asks the
/// supervisor for a restart. While there is no space, each restarted process ends in the same way,
/// and the other nodes serve lookups and writes. Once there is space, the node returns without
/// manual repair. Nothing is lost.
#[test]
fn a_write_without_space_ends_the_process_until_there_is_some() {
    let (mut cluster, disks) = cluster();
    let traffic = traffic(&cluster);
    for leads in [false, true] {
        let victim = victim(&cluster, leads);
        disks[victim].fail(&Order::full_after(100_000));
        for round in 0..2 {
            let said = cluster.nodes[victim].log().len();
            if round > 0 {
                disks[victim].clear_report();
                disks[victim].fail(&Order::full_after(0));
                cluster.nodes[victim].start();
            }
            must_end(
                &mut cluster,
                &disks[victim],
                victim,
                &[exit_code::DISK_FAILED],
                said,
            );
            goes_on(&traffic);
        }
        comes_back(&mut cluster, &disks[victim], victim, &traffic);
    }
    nothing_lost(cluster, traffic);
}

/// The effects that the tests of this file await can only come from an injected failure. An order
/// to the disk that matches no operation ends no process and reports no failure.
#[test]
fn an_order_that_strikes_nothing_ends_nothing() {
    let (mut cluster, disks) = cluster();
    let traffic = traffic(&cluster);
    for disk in &disks {
        disk.fail(&Order::from_now_on("wstr", "no-such-file", EIO));
    }
    goes_on(&traffic);
    for (node, disk) in cluster.nodes.iter_mut().zip(&disks) {
        assert!(node.is_alive());
        assert_eq!(disk.report(), Vec::<String>::new());
    }
    nothing_lost(cluster, traffic);
}
