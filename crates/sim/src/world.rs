//! The state shared by the hosts, their clients and the observer.

use crate::network::{address_of, name_of};
use crate::records::answers::Answers;
use crate::records::writes::RecordedWrites;
use crate::rng::Chance;
use crate::settings::SimSettings;
use crate::trace::Trace;
use quorate::model::Inventory;
use quorate::raft::Node;
use quorate::storage::Device;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The phase of a run, which determines what clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Clients send requests of all kinds. The requests may succeed or fail.
    Faults,
    /// Clients send nothing, so that the cluster can come to rest.
    Rest,
    /// Clients prove that every node accepts a write, and serves a lookup that shows all of these
    /// writes.
    Proof,
}

/// An order to a running node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeOrder {
    /// Makes a snapshot.
    Snapshot,
    /// Makes a snapshot, and purges the log up to the snapshot.
    Purge,
    /// Starts an election.
    Elect,
    /// Transfers leadership.
    Transfer,
    /// Shuts down cleanly.
    Stop,
}

/// The state of one host as seen by the observer.
#[derive(Default)]
pub struct Slot {
    /// The node; `None` while its process does not run.
    pub node: Option<Node>,
    /// The number of the host's current process.
    pub process: u64,
    /// The reason why the process ended unexpectedly.
    pub ended: Option<String>,
    /// Whether the node's process has stopped on request.
    pub stopped: bool,
    /// Orders not yet processed.
    pub orders: Vec<NodeOrder>,
}

/// The shared state of a run.
pub struct SimWorld {
    /// The settings.
    pub settings: SimSettings,
    /// The inventory of all hosts.
    pub inventory: Inventory,
    /// The device (disk) of each host.
    pub devices: Vec<Device>,
    slots: Vec<Mutex<Slot>>,
    answers: Mutex<Answers>,
    writes: Mutex<RecordedWrites>,
    trace: Mutex<Trace>,
    phase: Mutex<Phase>,
}

/// Size of every device, in bytes: 1 GiB. On a device of this size, a node refuses writes while
/// less than 64 MiB is free. On a small disk, the limit is an eighth of the disk.
const DEVICE_BYTES: u64 = 1 << 30;

impl SimWorld {
    /// Creates the shared state of a run.
    pub fn new(settings: SimSettings) -> SimWorld {
        let services: Vec<String> = (0..settings.hosts)
            .map(|host| {
                format!(
                    r#"{{"id":"{0}","nodeId":"{0}","type":"discovery","pool":"general",
                        "location":"/{0}","properties":{{"http":"{1}"}}}}"#,
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
        SimWorld {
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

    /// Returns the generator for the decisions named `what`, derived from the seed.
    pub fn chance(&self, what: &str) -> Chance {
        Chance::of(self.settings.seed, what)
    }

    /// Returns the state of a host.
    pub fn slot(&self, host: usize) -> MutexGuard<'_, Slot> {
        lock(&self.slots[host])
    }

    /// Returns the requests and responses of clients.
    pub fn answers(&self) -> MutexGuard<'_, Answers> {
        lock(&self.answers)
    }

    /// Returns the writes of clients.
    pub fn writes(&self) -> MutexGuard<'_, RecordedWrites> {
        lock(&self.writes)
    }

    /// Returns the trace.
    pub fn trace(&self) -> MutexGuard<'_, Trace> {
        lock(&self.trace)
    }

    /// Adds a line to the trace.
    pub fn say(&self, at: Duration, what: fmt::Arguments<'_>) {
        self.trace().say(at, what);
    }

    /// Returns the current phase.
    pub fn phase(&self) -> Phase {
        *lock(&self.phase)
    }

    /// Starts a phase.
    pub fn set_phase(&self, phase: Phase) {
        *lock(&self.phase) = phase;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the simulated time since the start of the run. Outside of a host's code, returns zero.
pub fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}
