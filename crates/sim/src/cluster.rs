//! One run: faults, healing, and checks after every step.

use crate::faults::{Condition, SimFault, draw};
use crate::host::process;
use crate::network::name_of;
use crate::nodes::SimNodes;
use crate::records::history::History;
use crate::report::SimReport;
use crate::rng::Chance;
use crate::settings::{Planted, STEP, SimSettings};
use crate::world::{Phase, SimWorld};
use quorate::raft::LogRetention;
use std::sync::Arc;
use std::time::Duration;
use turmoil::Sim;

/// Duration of the phase with faults.
const FAULTS_LAST: Duration = Duration::from_secs(20);
/// Maximum time from healing until the cluster is at rest.
const RESTS_WITHIN: Duration = Duration::from_secs(40);
/// Maximum time from rest until every node has accepted a write and served a lookup.
const PROVES_WITHIN: Duration = Duration::from_secs(10);

/// Runs a seed, with the same result in every fresh process. Returns the result and the trace.
pub fn run(seed: u64, planted: Planted) -> (Result<SimReport, String>, Vec<String>) {
    quorate::raft::seed_thread(Some(seed));
    let mut cluster = SimCluster::new(seed, planted);
    let lived = cluster.live();
    quorate::raft::seed_thread(None);
    let lines = cluster.world.trace().lines();
    (lived.map(|()| cluster.report()), lines)
}

/// The cluster of one run, and the state of the checks.
struct SimCluster {
    sim: Sim<'static>,
    world: Arc<SimWorld>,
    nodes: SimNodes,
    history: History,
    chance: Chance,
    up: Vec<bool>,
    /// The host whose disk was emptied, until the host is a voter again.
    emptied: Option<usize>,
    faults: usize,
    emptied_count: usize,
    /// The number of power cuts during an operation of the disk.
    torn: usize,
}

/// Limits that make a node take snapshots as often as possible, and purge its log up to each
/// snapshot.
const NEXT_TO_NO_LOG: LogRetention = LogRetention {
    snapshot_every_bytes: 1,
    max_bytes: 1,
    kept_bytes: 0,
};

/// Draws the settings of a run from its seed.
fn settings(seed: u64, planted: Planted) -> SimSettings {
    let mut chance = Chance::of(seed, "settings");
    SimSettings {
        seed,
        hosts: [3, 3, 3, 4, 5, 5, 6, 7][chance.below(8)],
        max_age: Duration::from_secs([3, 5, 8][chance.below(3)]),
        slowest_disk_ms: [2, 10, 40][chance.below(3)],
        slowest_message_ms: [4, 20, 60][chance.below(3)],
        loss: [0.0, 0.0, 0.0005, 0.004][chance.below(4)],
        log_limits: [LogRetention::default(), NEXT_TO_NO_LOG][chance.below(2)],
        planted,
    }
}

impl SimCluster {
    fn new(seed: u64, planted: Planted) -> SimCluster {
        let settings = settings(seed, planted);
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .epoch(std::time::UNIX_EPOCH)
            .tick_duration(STEP)
            .simulation_duration(Duration::from_secs(3_600))
            .min_message_latency(STEP)
            .max_message_latency(Duration::from_millis(settings.slowest_message_ms))
            .fail_rate(settings.loss)
            .repair_rate(0.1)
            .tcp_capacity(1 << 16)
            .enable_random_order()
            .build();
        let world = Arc::new(SimWorld::new(settings));
        let hosts = world.settings.hosts;
        for number in 0..hosts {
            let world = world.clone();
            sim.host(name_of(number), move || process::run(world.clone(), number));
        }
        if planted == Planted::LyingDisks {
            world.devices.iter().for_each(|device| device.lie());
        }
        SimCluster {
            sim,
            nodes: SimNodes::new(hosts),
            history: History::new(world.settings.max_age),
            chance: world.chance("faults"),
            up: vec![true; hosts],
            emptied: None,
            faults: 0,
            emptied_count: 0,
            torn: 0,
            world,
        }
    }

    /// Returns the report of the run, from the counts so far.
    fn report(&self) -> SimReport {
        let [written, refused, unknown, served, unserved] =
            self.world.answers().counts.map(|count| count as u64);
        let (lines, digest) = self.world.trace().digest();
        SimReport::of([
            self.world.settings.seed,
            self.up.len() as u64,
            self.sim.elapsed().as_millis() as u64,
            self.faults as u64,
            self.emptied_count as u64,
            self.nodes.leaders() as u64,
            self.history.next(),
            self.history.expired as u64,
            written,
            refused,
            unknown,
            served,
            unserved,
            self.world.writes().contended as u64,
            self.nodes.installed as u64,
            self.torn as u64,
            lines,
            digest,
        ])
    }

    /// Runs all phases: faults, rest, proof. Fails at the first violation.
    fn live(&mut self) -> Result<(), String> {
        let settings = &self.world.settings;
        self.world.say(Duration::ZERO, format_args!("{settings:?}"));
        let mut next_fault = Duration::from_secs(2);
        while self.sim.elapsed() < FAULTS_LAST {
            self.step()?;
            if self.sim.elapsed() >= next_fault {
                self.strike();
                next_fault = self.sim.elapsed() + self.chance.between_ms(50, 900);
            }
        }
        self.heal();
        self.world.set_phase(Phase::Rest);
        let healed = self.sim.elapsed();
        while let Some(why) = self.unrest() {
            // This loop also starts the hosts that were still stopping when the faults were healed.
            (0..self.up.len()).for_each(|host| self.start(host));
            if self.sim.elapsed() > healed + RESTS_WITHIN {
                return Err(format!(
                    "liveness: the cluster does not settle after healing: {why}"
                ));
            }
            self.step()?;
        }
        self.world.set_phase(Phase::Proof);
        let rested = self.sim.elapsed();
        loop {
            (0..self.up.len()).for_each(|host| self.start(host));
            let unproved = self.world.answers().unproved();
            if unproved == (Vec::new(), Vec::new()) {
                let max_age = self.world.settings.max_age;
                return self.world.writes().judge(&self.history, max_age);
            }
            if self.sim.elapsed() > rested + PROVES_WITHIN {
                return Err(format!(
                    "liveness: hosts {:?} serve no lookup, {:?} accept no write",
                    unproved.0, unproved.1
                ));
            }
            self.step()?;
        }
    }

    /// Advances the simulation by one step, and checks every invariant.
    fn step(&mut self) -> Result<(), String> {
        self.sim.step().map_err(|error| error.to_string())?;
        let at = self.sim.elapsed();
        for host in 0..self.up.len() {
            if let Some(reason) = &self.world.slot(host).ended {
                return Err(format!("host {host} exited by itself: {reason}"));
            }
            if self.up[host] && self.world.slot(host).stopped {
                self.world.say(at, format_args!("{host} has stopped"));
                if let Some(node) = &self.world.slot(host).node {
                    self.nodes.note_disk(host, node);
                }
                self.stop(host);
            }
        }
        self.nodes.look(&self.world, &mut self.history, at)?;
        self.world.answers().judge(&self.history)?;
        self.note_return(at);
        Ok(())
    }

    /// Clears `emptied` once the emptied host sees itself as a voter. The membership must not be
    /// joint, and must have as many voters as there are hosts.
    fn note_return(&mut self, at: Duration) {
        let Some(host) = self.emptied else { return };
        let Some(own) = self.nodes.last(host) else {
            return;
        };
        let is_back = own.voters.len() == 1
            && own.voters[0].contains(&own.raft_id)
            && own.voters[0].len() == self.up.len()
            && own.applied > 0;
        if is_back {
            self.world.say(at, format_args!("{host} is a voter again"));
            self.emptied = None;
        }
    }

    /// Returns the reason why the cluster is not at rest; `None` if it is at rest.
    fn unrest(&self) -> Option<String> {
        let hosts = self.up.len();
        let mut probes = Vec::new();
        for host in 0..hosts {
            match self.nodes.last(host) {
                Some(probe) => probes.push(probe),
                None => return Some(format!("host {host} is in no group")),
            }
        }
        let first = probes[0];
        let ids: std::collections::BTreeSet<_> = probes.iter().map(|probe| probe.raft_id).collect();
        if first.voters != [ids] {
            return Some(format!("the voters are {:?}", first.voters));
        }
        if probes.iter().filter(|probe| probe.leads).count() != 1 {
            return Some("the number of leaders is not one".to_owned());
        }
        let differs = probes.iter().any(|probe| {
            (probe.term, probe.applied, probe.digest, &probe.voters)
                != (first.term, first.applied, first.digest, &first.voters)
        });
        if differs {
            let shown: Vec<_> = probes
                .iter()
                .map(|probe| (probe.term, probe.applied))
                .collect();
            return Some(format!(
                "the nodes differ, their (term, applied) are {shown:?}"
            ));
        }
        None
    }

    /// Draws and injects a fault.
    fn strike(&mut self) {
        let hosts: Vec<Condition> = self.up.iter().map(|up| Condition { up: *up }).collect();
        let may_empty = self.emptied.is_none()
            && self.history.next() > 10
            && self.world.settings.planted == Planted::Nothing;
        let fault = draw(&mut self.chance, &hosts, may_empty);
        self.world
            .say(self.sim.elapsed(), format_args!("- {fault:?}"));
        self.faults += 1;
        match fault {
            SimFault::Split(some) => {
                for one in &some {
                    for other in (0..self.up.len()).filter(|other| !some.contains(other)) {
                        self.sim.partition(name_of(*one), name_of(other));
                    }
                }
            }
            SimFault::Cut(from, to) => self.sim.partition_oneway(name_of(from), name_of(to)),
            SimFault::Mute(host) => self.each_other(host, |sim, host, other| {
                sim.partition_oneway(host, other);
            }),
            SimFault::Deafen(host) => self.each_other(host, |sim, host, other| {
                sim.partition_oneway(other, host);
            }),
            SimFault::Slow(one, other, by) => {
                self.sim
                    .set_link_max_message_latency(name_of(one), name_of(other), by);
            }
            SimFault::Heal => self.heal_links(),
            SimFault::Kill(host) => self.stop(host),
            SimFault::CutPower(host) => self.cut_power(host),
            SimFault::CutAllPower => (0..self.up.len()).for_each(|host| self.cut_power(host)),
            SimFault::Empty(host) => {
                self.stop(host);
                self.world.devices[host].empty();
                self.emptied = Some(host);
                self.emptied_count += 1;
            }
            SimFault::Start(host) => self.start(host),
            SimFault::StartAll => (0..self.up.len()).for_each(|host| self.start(host)),
            SimFault::Order(host, order) => {
                if self.up[host] {
                    self.world.slot(host).orders.push(order);
                }
            }
        }
    }

    /// Calls `what` for each other host, with the names of this host and of the other host.
    fn each_other(&mut self, host: usize, what: impl Fn(&Sim<'static>, String, String)) {
        for other in (0..self.up.len()).filter(|other| *other != host) {
            what(&self.sim, name_of(host), name_of(other));
        }
    }

    /// Kills the process of a host.
    fn stop(&mut self, host: usize) {
        self.world.slot(host).node = None;
        self.nodes.gone(host);
        if self.up[host] {
            self.up[host] = false;
            self.sim.crash(name_of(host));
        }
    }

    /// Kills the process of a host, and cuts the power of its disk.
    fn cut_power(&mut self, host: usize) {
        self.stop(host);
        let underway = self.world.devices[host].cut_power(self.chance.next());
        self.torn += usize::from(underway > 0);
    }

    /// Starts the process of a host that is down.
    fn start(&mut self, host: usize) {
        if !self.up[host] {
            self.up[host] = true;
            self.sim.bounce(name_of(host));
        }
    }

    fn heal_links(&mut self) {
        let slowest = Duration::from_millis(self.world.settings.slowest_message_ms);
        for one in 0..self.up.len() {
            for other in one + 1..self.up.len() {
                self.sim.repair(name_of(one), name_of(other));
                self.sim
                    .set_link_max_message_latency(name_of(one), name_of(other), slowest);
            }
        }
    }

    /// Repairs all links and starts every process.
    fn heal(&mut self) {
        self.world
            .say(self.sim.elapsed(), format_args!("- all faults are healed"));
        self.heal_links();
        self.sim.set_fail_rate(0.0);
        for host in 0..self.up.len() {
            self.start(host);
        }
    }
}
