//! Applies faults of disks: slow, failing and full disks, power cuts, flipped bits and emptied
//! directories.

use super::kind::Kind;
use super::stage::{Fault, Stage, Struck};
use crate::support::failing_disk::{EIO, Order};
use crate::support::power_cut::Cut;
use quorate::config::exit_code;
use std::fs;
use std::time::Duration;

/// Additional duration of a sync on a slow disk ([`Kind::SlowDisk`]).
const SLOWER: Duration = Duration::from_millis(500);
/// Number of bytes that may still be written before a disk is full ([`Kind::FullDisk`]).
const ROOM_BYTES: u64 = 20_000;

impl Stage {
    /// Orders the disk of a node to be slow, to fail or to be full.
    pub(super) fn order(&mut self, kind: Kind, victim: usize) {
        let order = match kind {
            Kind::SlowDisk => Order::slow_syncs(SLOWER),
            Kind::FullDisk => Order::full_after(ROOM_BYTES),
            _ => {
                let file = ["raft.redb", "raft.journal"][self.random.below(2) as usize];
                Order::once(["s", "w"][self.random.below(2) as usize], file, EIO)
            }
        };
        self.disks[victim].clear_report();
        self.disk_struck[victim] = true;
        self.disks[victim].fail(&order);
    }

    /// Applies a power cut to the disk of a killed node: its unsynced data is lost, at least
    /// partly.
    pub(super) fn cut_power(&mut self, kind: Kind, victim: usize) {
        let cut = match (kind, self.random.below(2)) {
            (Kind::TornWrite, _) => Cut::LastTorn,
            (_, 0) => Cut::All,
            _ => Cut::Some,
        };
        let taken = self.disks[victim].cut_power(cut, &mut self.random);
        self.sectors_taken += taken as u64;
        self.cuts_that_took += u64::from(taken > 0);
    }

    /// Empties the disk of a killed node.
    pub(super) fn empty(&mut self, victim: usize) {
        self.cluster.nodes[victim].wipe();
        self.disks[victim].replaced();
    }

    /// Flips one random bit of a killed node's log or database.
    pub(super) fn flip_bit(&mut self, victim: usize) {
        let file = ["raft.redb", "raft.journal"][self.random.below(2) as usize];
        let raft = self.cluster.nodes[victim].etc.data_dir().join("raft");
        let log = raft.join(file);
        let mut bytes = fs::read(&log).expect("a killed node has a log");
        let at = self.random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << self.random.below(8);
        fs::write(&log, bytes).expect("a killed node's log can be written");
    }

    /// Ends a node in whose log or database a bit was flipped, and replaces its disk.
    ///
    /// The node has refused to start, or it has not read the wrong bit. A wrong bit in the last
    /// batch, which was not sealed yet, looks like a torn write. In this case the node starts
    /// without the batch, and the other nodes refuse the node. The disk is replaced in every case.
    /// Otherwise a later flipped bit on a second disk could leave too few undamaged disks.
    pub(super) fn replace_flipped(&mut self, victim: usize) {
        let node = &mut self.cluster.nodes[victim];
        if node.is_alive() {
            node.kill9();
        } else {
            let status = node.ended("a wrong bit");
            let rejections =
                [exit_code::DATA_CORRUPT, exit_code::IDENTITY].map(|code| Some(code.into()));
            assert!(rejections.contains(&status.code()), "{status}");
            self.flips_refused += 1;
        }
        self.empty(victim);
        self.start_again(&[victim]);
    }

    /// Restarts a node that ended because of its disk, as a supervisor does.
    pub(super) fn supervise(&mut self, fault: &mut Fault) {
        let victim = fault.victims[0];
        if self.cluster.nodes[victim].is_alive() {
            return;
        }
        self.assert_ended_on_disk(victim);
        fault.struck = Struck::Surely;
        if fault.kind == Kind::FailingDisk {
            self.disks[victim].mend();
            fault.is_mended = true;
        }
        self.cluster.nodes[victim].start();
    }

    /// Starts the nodes that met a failure of their disk and ended only after the disk was mended.
    /// Leaves out nodes that another fault affects.
    pub fn start_the_late(&mut self) {
        for victim in 0..self.cluster.nodes.len() {
            let is_free = self.disk_struck[victim] && !self.node_struck[victim];
            if is_free && !self.cluster.nodes[victim].is_alive() {
                self.assert_ended_on_disk(victim);
                self.cluster.nodes[victim].start();
            }
        }
    }

    /// Asserts that a node has ended because of its disk. A node that had started must end with the
    /// exit code of a failed disk. A node that another fault restarted while its disk failed may
    /// also end with the exit code of an unusable data directory.
    fn assert_ended_on_disk(&mut self, victim: usize) {
        let node = &mut self.cluster.nodes[victim];
        let status = node.ended("its disk");
        let log = node.log();
        let last_run = log.rsplit("quorate::server: starting").next();
        let had_started = last_run.is_some_and(|run| run.contains("quorate::server: started"));
        let code = match status.code() == Some(exit_code::DATA_UNUSABLE.into()) && !had_started {
            true => exit_code::DATA_UNUSABLE,
            false => exit_code::DISK_FAILED,
        };
        assert_eq!(
            status.code(),
            Some(code.into()),
            "{} ended: {status}",
            node.etc.node_id
        );
    }

    /// Returns whether a finished fault made any operation of its disk fail or take longer.
    pub(super) fn orders_struck(&self, fault: &Fault) -> bool {
        !self.disks[fault.victims[0]].report().is_empty()
    }
}
