//! What the hosts, their clients and the one who watches share.

use crate::network::{address_of, name_of};
use crate::records::answers::Answers;
use crate::records::writes::Writes;
use crate::rng::Chance;
use crate::settings::Settings;
use crate::trace::Trace;
use quorate::model::Inventory;
use quorate::raft::Node;
use quorate::storage::Device;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What clients are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Everything, whatever comes of it.
    Faults,
    /// Nothing: the cluster is to come to rest.
    Rest,
    /// Show that every node takes writes and serves them.
    Proof,
}

/// An order to a running node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Make a snapshot.
    Snapshot,
    /// Make one, and drop what it covers from the log.
    Purge,
    /// Stand for election.
    Elect,
    /// Hand leadership over.
    Transfer,
    /// Stop in order.
    Stop,
}

/// One host as it is seen from outside.
#[derive(Default)]
pub struct Slot {
    /// The node, while its process runs.
    pub node: Option<Node>,
    /// Which process of the host it is.
    pub process: u64,
    /// Why the process ended by itself.
    pub ended: Option<String>,
    /// Whether it was told to stop, and did.
    pub stopped: bool,
    /// Orders not taken yet.
    pub orders: Vec<Order>,
}

/// Everything that is shared in a run.
pub struct World {
    /// The settings.
    pub settings: Settings,
    /// The inventory of all hosts.
    pub inventory: Inventory,
    /// The devices.
    pub devices: Vec<Device>,
    slots: Vec<Mutex<Slot>>,
    answers: Mutex<Answers>,
    writes: Mutex<Writes>,
    trace: Mutex<Trace>,
    phase: Mutex<Phase>,
}

/// The size of every device: its eighth is over the floor below which a node takes no writes.
const DEVICE_BYTES: u64 = 1 << 30;

impl World {
    /// The world of a run.
    pub fn new(settings: Settings) -> World {
        let services: Vec<String> = (0..settings.hosts)
            .map(|host| {
                format!(
                    r#"{{"id":"{0}","nodeId":"{0}","type":"discovery","pool":"general","location":"/{0}","properties":{{"http":"{1}"}}}}"#,
                    name_of(host),
                    address_of(host)
                )
            })
            .collect();
        let json = format!(
            r#"{{"environment":"sim","services":[{}]}}"#,
            services.join(",")
        );
        let inventory = Inventory::parse(json.as_bytes(), "sim").expect("a good inventory");
        World {
            inventory,
            devices: (0..settings.hosts)
                .map(|_| Device::new(DEVICE_BYTES))
                .collect(),
            slots: (0..settings.hosts).map(|_| Mutex::default()).collect(),
            answers: Mutex::new(Answers::new(settings.hosts)),
            writes: Mutex::default(),
            trace: Mutex::default(),
            phase: Mutex::new(Phase::Faults),
            settings,
        }
    }

    /// The numbers of one thing that the seed decides.
    pub fn chance(&self, what: &str) -> Chance {
        Chance::of(self.settings.seed, what)
    }

    /// A host.
    pub fn slot(&self, host: usize) -> MutexGuard<'_, Slot> {
        held(&self.slots[host])
    }

    /// What clients were told.
    pub fn answers(&self) -> MutexGuard<'_, Answers> {
        held(&self.answers)
    }

    /// What clients wrote.
    pub fn writes(&self) -> MutexGuard<'_, Writes> {
        held(&self.writes)
    }

    /// What happened.
    pub fn trace(&self) -> MutexGuard<'_, Trace> {
        held(&self.trace)
    }

    /// Adds a line to the trace.
    pub fn say(&self, at: Duration, what: fmt::Arguments<'_>) {
        self.trace().say(at, what);
    }

    /// What clients are to do.
    pub fn phase(&self) -> Phase {
        *held(&self.phase)
    }

    /// Tells clients what to do.
    pub fn set_phase(&self, phase: Phase) {
        *held(&self.phase) = phase;
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time of the run, on a host.
pub fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}
