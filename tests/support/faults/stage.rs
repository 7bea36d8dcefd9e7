//! A cluster to which any fault can be applied. It records which nodes and links are affected, so
//! that faults that exclude each other do not overlap.

use super::kind::Kind;
use super::links::{self, Link, shuffle};
use super::throttle::Throttle;
use crate::support::cluster::{self, FORM_LIMIT};
use crate::support::engines_secret::SECRET;
use crate::support::failing_disk::FailingDisk;
use crate::support::http;
use crate::support::node::{PATIENCE, announcement, announcement_path};
use crate::support::proxy::Pace;
use crate::support::wait::until;
use crate::support::wrong_clock::WrongClock;
use crate::support::{Cluster, Mesh, Options};
use quorate_checker::log::CommittedLog;
use quorate_checker::random::Random;
use serde_json::Value;
use std::time::Duration;

/// Timeout of a status request. A healthy node answers it far earlier.
const STATUS_LIMIT: Duration = Duration::from_millis(300);
const HOUR_S: i64 = 3_600;

/// Whether a fault has had its intended effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Struck {
    /// The fault always has its effect.
    Surely,
    /// A node was asked to stop, and has not stopped yet. The fault has had no effect so far.
    Stopping,
    /// The effect is unknown until the end of the fault, when the report of the links or of the
    /// disk shows the effect.
    ByReport,
}

/// A fault in progress.
pub struct Fault {
    pub kind: Kind,
    /// The affected nodes. For a fault of links, the nodes that are cut off from a majority.
    pub victims: Vec<usize>,
    pub(super) struck: Struck,
    /// Whether the fault was undone, as far as the test can undo it. An affected node may still
    /// have to recover.
    pub is_mended: bool,
    /// The position, in `victims`, of the node that a rolling stop stops at present.
    pub(super) turn: usize,
    links: Vec<Link>,
    reported_before: u64,
    throttle: Option<Throttle>,
}

/// The cluster, its disks, clocks and links.
pub struct Stage {
    // The cluster is the first field, so that its processes end before their proxies and disks are
    // dropped.
    pub cluster: Cluster,
    mesh: Mesh,
    pub(super) disks: Vec<FailingDisk>,
    clocks: Vec<WrongClock>,
    pub(super) random: Random,
    /// The committed log that was collected so far from nodes that were down.
    pub(super) log: Option<CommittedLog>,
    /// Number of sectors that power cuts have removed.
    pub sectors_taken: u64,
    /// Number of power cuts that have removed at least one sector.
    pub cuts_that_took: u64,
    /// Number of nodes that refused to start because of a flipped bit.
    pub flips_refused: u64,
    pub(super) node_struck: Vec<bool>,
    /// Whether the disk of each node was made to fail since all nodes were last ready. A node may
    /// meet the failure at the last moment, and end after all faults are mended.
    pub(super) disk_struck: Vec<bool>,
    clock_struck: Vec<bool>,
    are_links_cut: bool,
    are_links_paced: bool,
    is_disk_destroyed: bool,
}

impl Stage {
    /// Starts a cluster with links, disks and clocks that can be made to fail. Its nodes must prove
    /// to each other that they have a shared secret, and engines must prove it to the nodes.
    pub fn start(nodes: usize, options: Options, seed: u64) -> Stage {
        let mut cluster = Cluster::prepare(nodes, options);
        for node in &mut cluster.nodes {
            // Peers and engines must prove that they have it.
            node.set("internal-communication.shared-secret", SECRET);
        }
        let disks = cluster.nodes.iter_mut().map(FailingDisk::of).collect();
        let clocks = cluster.nodes.iter_mut().map(WrongClock::of).collect();
        cluster.start_all();
        cluster.wait_ready();
        cluster.wait_ordered();
        for node in &cluster.nodes {
            let (path, body) = (announcement_path("w"), announcement("engine", "w", 1));
            let to = node.address();
            let unproved = http::request(to, "PUT", &path, Some(&body), PATIENCE);
            assert_eq!(unproved.expect("it answers").status, 401);
        }
        let mesh = Mesh::between(&mut cluster);
        cluster.wait_ready();
        Stage {
            cluster,
            mesh,
            disks,
            clocks,
            random: Random::new(seed),
            log: None,
            sectors_taken: 0,
            cuts_that_took: 0,
            flips_refused: 0,
            node_struck: vec![false; nodes],
            disk_struck: vec![false; nodes],
            clock_struck: vec![false; nodes],
            are_links_cut: false,
            are_links_paced: false,
            is_disk_destroyed: false,
        }
    }

    /// Begins a fault, beside the faults in progress. Returns `None` if the fault is not possible
    /// now.
    pub fn begin(&mut self, kind: Kind) -> Option<Fault> {
        if kind.destroys() && (self.is_disk_destroyed || !self.is_whole()) {
            return None;
        }
        let leader = match kind.names_leader() {
            true => Some(self.leader()?),
            false => None,
        };
        let (victims, links) = self.victims(kind, leader)?;
        let mut fault = Fault {
            kind,
            victims,
            struck: Struck::Surely,
            is_mended: false,
            turn: 0,
            links,
            reported_before: 0,
            throttle: None,
        };
        self.mark(&fault, true);
        self.strike(&mut fault);
        Some(fault)
    }

    /// Undoes a fault, as far as the test can undo it. Does nothing if that was already done.
    pub fn mend(&mut self, fault: &mut Fault) {
        if std::mem::replace(&mut fault.is_mended, true) {
            return;
        }
        match fault.kind {
            Kind::KillLeader
            | Kind::KillFollower
            | Kind::KillMajority
            | Kind::PowerCut
            | Kind::PowerCutAll
            | Kind::TornWrite
            | Kind::EmptiedDisk => self.start_again(&fault.victims),
            // The test has nothing to undo: `KillAll` has already restarted the nodes, and a
            // rolling stop restarts each node after it has stopped.
            Kind::KillAll | Kind::StopEachInTurn => {}
            Kind::FlippedBit => self.replace_flipped(fault.victims[0]),
            Kind::FreezeLeader | Kind::FreezeFollower | Kind::FreezeAll => {
                self.thaw(&fault.victims)
            }
            Kind::LossyLinks | Kind::SlowLinks => {
                let links = fault.links.iter();
                links.for_each(|(from, to)| self.mesh.set_pace(*from, *to, Pace::Prompt));
            }
            kind if kind.is_of_links() => {
                let links = fault.links.iter();
                links.for_each(|(from, to)| self.mesh.mend(*from, *to));
            }
            Kind::WrongClock => self.clocks[fault.victims[0]].correct(),
            Kind::Throttled => fault.throttle = None,
            // A failing disk is mended later, by `supervise` or `give_up`, because the one sync or
            // write that fails may not have happened yet.
            Kind::FailingDisk => fault.is_mended = false,
            _ => self.disks[fault.victims[0]].mend(),
        }
    }

    /// Advances a fault, and returns whether it is over. Must be called often, from the beginning
    /// of the fault on.
    pub fn is_over(&mut self, fault: &mut Fault) -> bool {
        let is_over = match fault.kind {
            Kind::StopEachInTurn => self.next_turn(fault),
            Kind::FailingDisk | Kind::FullDisk => {
                self.supervise(fault);
                fault.is_mended
            }
            kind if kind.destroys() => fault.is_mended && self.is_ready(fault.victims[0]),
            _ => fault.is_mended,
        };
        if is_over {
            self.mark(fault, false);
        }
        is_over
    }

    /// Mends a failing disk to which nothing was written, so that its fault can end.
    pub fn give_up(&mut self, fault: &mut Fault) {
        if fault.kind == Kind::FailingDisk && !fault.is_mended {
            self.disks[fault.victims[0]].mend();
            fault.is_mended = true;
        }
    }

    /// Returns whether a finished fault had its intended effect.
    pub fn has_struck(&self, fault: &Fault) -> bool {
        match (fault.struck, fault.kind) {
            (Struck::ByReport, Kind::LossyLinks | Kind::SlowLinks) => {
                self.mesh.held_back() > fault.reported_before
            }
            (Struck::ByReport, kind) if kind.is_of_links() => {
                self.mesh.lost_bytes() > fault.reported_before
            }
            (Struck::ByReport, _) => self.orders_struck(fault),
            (struck, _) => struck == Struck::Surely,
        }
    }

    /// Returns whether a node reports that it is a voter and serves.
    pub fn is_ready(&self, node: usize) -> bool {
        let address = self.cluster.nodes[node].address();
        http::request(address, "GET", "/v1/cluster/ready", None, STATUS_LIMIT)
            .is_ok_and(|response| response.status == 200)
    }

    /// Waits until all nodes are ready.
    pub fn wait_ready(&mut self) {
        for node in 0..self.cluster.nodes.len() {
            until("a node is ready", FORM_LIMIT, || {
                self.start_the_late();
                self.is_ready(node).then_some(())
            });
        }
        self.disk_struck.fill(false);
    }

    /// Stops the cluster and returns its committed log, from the first index that any node has
    /// kept.
    pub fn stop(&mut self) -> CommittedLog {
        self.cluster.stop_all();
        (0..self.cluster.nodes.len()).for_each(|node| self.note_log(node));
        self.log.take().expect("there are nodes")
    }

    /// Returns the node that reports to be the leader in the highest term, among the nodes that no
    /// fault affects.
    pub fn leader(&self) -> Option<usize> {
        let claims = self.unstruck().into_iter().filter_map(|node| {
            let status = self.status(node)?;
            (status["role"] == "leader").then(|| (status["term"].as_u64(), node))
        });
        claims.max().map(|(_, node)| node)
    }

    /// Returns whether the leader sees exactly the cluster's nodes as members, all of them voters.
    fn is_whole(&self) -> bool {
        let count = self.cluster.nodes.len();
        self.leader()
            .and_then(|leader| self.status(leader))
            .is_some_and(|status| {
                cluster::voters(&status).len() == count && cluster::members(&status).len() == count
            })
    }

    fn status(&self, node: usize) -> Option<Value> {
        let address = self.cluster.nodes[node].address();
        let answer =
            http::request(address, "GET", "/v1/cluster/status", None, STATUS_LIMIT).ok()?;
        serde_json::from_str(&answer.body).ok()
    }

    /// Returns the nodes that no fault affects at present.
    fn unstruck(&self) -> Vec<usize> {
        let nodes = 0..self.cluster.nodes.len();
        nodes.filter(|i| !self.node_struck[*i]).collect()
    }

    /// Chooses the nodes and links for a fault. Returns `None` if nodes or links that it needs are
    /// affected already.
    fn victims(&mut self, kind: Kind, leader: Option<usize>) -> Option<(Vec<usize>, Vec<Link>)> {
        let count = self.cluster.nodes.len();
        let unstruck = self.unstruck();
        let followers: Vec<usize> = unstruck
            .iter()
            .copied()
            .filter(|i| Some(*i) != leader)
            .collect();
        let all = (unstruck.len() == count).then(|| unstruck.clone());
        let nodes = match kind {
            Kind::LossyLinks | Kind::SlowLinks => {
                let pairs = (0..count).flat_map(|a| (0..count).map(move |b| (a, b)));
                return (!self.are_links_paced).then(|| (Vec::new(), pairs.collect()));
            }
            kind if kind.is_of_links() => {
                let cut = || links::cut(kind, count, leader?, &mut self.random).into();
                return (!self.are_links_cut).then(cut).flatten();
            }
            Kind::WrongClock => {
                let right: Vec<usize> = (0..count).filter(|i| !self.clock_struck[*i]).collect();
                vec![self.one_of(&right)?]
            }
            Kind::KillLeader | Kind::FreezeLeader => vec![leader?],
            Kind::KillMajority => {
                let mut others = all?;
                others.retain(|i| Some(*i) != leader);
                shuffle(&mut others, &mut self.random);
                others.truncate(count / 2);
                others.extend(leader);
                others
            }
            Kind::KillAll | Kind::FreezeAll | Kind::PowerCutAll | Kind::StopEachInTurn => all?,
            Kind::PowerCut | Kind::TornWrite | Kind::Throttled | Kind::SlowDisk => {
                vec![self.one_of(&unstruck)?]
            }
            Kind::FailingDisk | Kind::FullDisk if self.random.below(2) == 0 => vec![leader?],
            _ => vec![self.one_of(&followers)?],
        };
        Some((nodes, Vec::new()))
    }

    fn one_of(&mut self, nodes: &[usize]) -> Option<usize> {
        let at = self.random.below(nodes.len().max(1) as u64) as usize;
        nodes.get(at).copied()
    }

    /// Records the nodes and links of a fault as affected, or as no longer affected.
    fn mark(&mut self, fault: &Fault, struck: bool) {
        match fault.kind {
            Kind::LossyLinks | Kind::SlowLinks => self.are_links_paced = struck,
            kind if kind.is_of_links() => self.are_links_cut = struck,
            Kind::WrongClock => self.clock_struck[fault.victims[0]] = struck,
            kind => {
                let victims = fault.victims.iter();
                victims.for_each(|i| self.node_struck[*i] = struck);
                if kind.destroys() {
                    self.is_disk_destroyed = struck;
                }
            }
        }
    }

    /// Applies a fault to its nodes and links.
    fn strike(&mut self, fault: &mut Fault) {
        let victims = fault.victims.clone();
        match fault.kind {
            Kind::KillLeader | Kind::KillFollower | Kind::KillMajority => self.kill(&victims),
            Kind::KillAll => {
                self.kill(&victims);
                self.start_again(&victims);
            }
            Kind::StopEachInTurn => {
                self.cluster.nodes[victims[0]].ask_to_stop();
                fault.struck = Struck::Stopping;
            }
            Kind::FreezeLeader | Kind::FreezeFollower | Kind::FreezeAll => self.freeze(&victims),
            Kind::PowerCut | Kind::PowerCutAll | Kind::TornWrite => {
                self.kill(&victims);
                victims.iter().for_each(|i| self.cut_power(fault.kind, *i));
            }
            Kind::EmptiedDisk => {
                self.kill(&victims);
                self.empty(victims[0]);
            }
            Kind::FlippedBit => {
                self.kill(&victims);
                self.flip_bit(victims[0]);
                self.start_again(&victims);
            }
            Kind::WrongClock => {
                let ahead_s = [HOUR_S, -HOUR_S][self.random.below(2) as usize];
                self.clocks[victims[0]].set_ahead_s(ahead_s);
            }
            Kind::Throttled => {
                fault.throttle = Some(Throttle::of(self.cluster.nodes[victims[0]].pid()));
            }
            Kind::SlowDisk | Kind::FailingDisk | Kind::FullDisk => {
                self.order(fault.kind, victims[0]);
                fault.struck = Struck::ByReport;
            }
            kind => {
                fault.struck = Struck::ByReport;
                self.strike_links(kind, fault);
            }
        }
    }

    /// Cuts or slows the links of a fault.
    fn strike_links(&self, kind: Kind, fault: &mut Fault) {
        match links::pace(kind) {
            Some(pace) => {
                fault.reported_before = self.mesh.held_back();
                let links = fault.links.iter();
                links.for_each(|(from, to)| self.mesh.set_pace(*from, *to, pace));
            }
            None => {
                fault.reported_before = self.mesh.lost_bytes();
                let links = fault.links.iter();
                links.for_each(|(from, to)| self.mesh.lose(*from, *to));
            }
        }
    }
}
