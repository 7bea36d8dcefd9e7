//! The pure state machine: commands in, outcomes out. No time of day, no randomness, no I/O.
//!
//! | file | what it is for |
//! |---|---|
//! | `command` | what the log carries, and what comes of it |
//! | `apply` | what each command does |
//! | `order` | what a write knows of the writes before it |
//! | `changes` | what an entry did to each type and pool, for those who follow them |
//! | `coordinators` | where the coordinators are |
//! | `limits` | what entries count for, and which are too large |
//! | `by_id` | two lists of services side by side |
//! | `growing` | a body while it is written |
//! | `ticks` | cluster time: grace, deadlines, expiry |
//! | `regroup` | moves a node between types and pools |
//! | `held`, `groups`, `removals` | the parts of the state |
//! | `lookup`, `rendered` | the bytes of lookups, made once for each change |
//! | `digest` | one number for the whole state, kept up to date |
//! | `snapshot` | the state as bytes, and back |

mod apply;
mod by_id;
mod changes;
mod command;
mod coordinators;
mod digest;
mod groups;
mod growing;
mod held;
mod limits;
mod lookup;
pub mod model;
mod order;
mod regroup;
mod removals;
mod rendered;
mod snapshot;
#[cfg(test)]
mod tests;
mod ticks;

pub use changes::Change;
pub use command::{Batch, Command, Outcome};
pub use held::Held;
pub use limits::{MAX_LOCATION_BYTES, MAX_SERVICES};
pub use order::{Arrival, Leadership, Tail};
pub use rendered::Rendered;
pub use snapshot::{BadSnapshot, Image};

use crate::model::StaticService;
use changes::Effects;
use groups::Groups;
use removals::Removals;
use rendered::Renderings;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The highest level of commands and state that this release knows.
///
/// | level | from it on |
/// |---|---|
/// | 1 | |
/// | 2 | a node whose announcement shares no service id with the one before joins anew |
/// | 3 | the elements of nodes in the state's digest are of SipHash |
/// | 4 | writes carry what their taker knew at their arrival; an announcement has at most [`MAX_SERVICES`]; entries count for what they cost |
///
/// A later release that adds a command or a field raises it, and uses what it added only after a
/// [`Command::Level`], which the leader proposes when every voter knows that level.
pub const LEVEL: u32 = 4;

/// From this level on, another process under a node's id joins anew.
const LEVEL_OF_PROCESSES: u32 = 2;

/// From this level on a node's element in the digest is of SipHash. Each renewal computes two on each node, and SHA-256 showed there on a
/// processor that has no instructions for it (docs/ARCHITECTURE.md).
const LEVEL_OF_SIPHASH: u32 = 3;

/// From this level on a write carries its [`Arrival`].
pub const LEVEL_OF_ORDER: u32 = 4;

/// From this level on announcements have limits of their own, and what is held counts for what it
/// costs (`limits`).
const LEVEL_OF_LIMITS: u32 = 4;

/// The most retired raft ids that are remembered; each is one replaced member, so this is years of replacements.
/// Past it the oldest is forgotten.
const MAX_RETIRED: usize = 1024;

/// The most that announcements and statics may take, in bytes as `limits` counts them.
///
/// It keeps a client gone wild from filling the memory of all nodes at once. 100,000 services of
/// real engines take about 103 MB of it. Every node must refuse alike: another value, and another
/// way to count, is a new [`LEVEL`].
pub const MAX_HELD_BYTES: usize = 256 << 20;

/// What the cluster holds.
///
/// - The same entries give the same state on every node: `apply` reads nothing but the entry and the state.
/// - A node is held from its first accepted announcement until it withdraws or expires.
/// - An announcement expires only when cluster time reaches its deadline, and only a tick moves cluster time.
/// - What was removed comes back only by an announcement whose taker had seen the removal.
#[derive(Debug)]
pub struct Registry {
    environment: String,
    applied_index: u64,
    level: u32,
    cluster_ms: u64,
    grace_left_ms: u64,
    /// The time that ticks have counted, from [`LEVEL_OF_ORDER`] on; zero before.
    ticked_ms: u64,
    /// The least `step_ms` of all batches that set a deadline since the last tick: the next tick moves no further.
    step_limit_ms: u64,
    nodes: BTreeMap<Arc<str>, Held>,
    deadlines: BTreeSet<(u64, Arc<str>)>,
    statics: BTreeMap<Arc<str>, HeldStatic>,
    groups: Groups,
    removals: Removals,
    retired: VecDeque<u64>,
    changed_index: u64,
    statics_changed_index: u64,
    /// The log index at which the last member of a type in a pool last went.
    vanished_index: u64,
    services: usize,
    held_bytes: usize,
    /// [`MAX_HELD_BYTES`]; less in tests.
    max_held_bytes: usize,
    /// The sum of the elements of nodes and statics.
    sum: u128,
    renderings: Renderings,
    /// Of the last entry; no part of the state.
    effects: Effects,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct HeldStatic {
    service: Arc<StaticService>,
    changed_index: u64,
}

impl Registry {
    /// A registry that holds nothing. The environment is the cluster's; it is in every lookup and in the digest.
    pub fn new(environment: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            applied_index: 0,
            level: 1,
            cluster_ms: 0,
            grace_left_ms: 0,
            ticked_ms: 0,
            step_limit_ms: u64::MAX,
            nodes: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            statics: BTreeMap::new(),
            groups: Groups::default(),
            removals: Removals::default(),
            retired: VecDeque::new(),
            changed_index: 0,
            statics_changed_index: 0,
            vanished_index: 0,
            services: 0,
            held_bytes: 0,
            max_held_bytes: MAX_HELD_BYTES,
            sum: 0,
            renderings: Renderings::default(),
            effects: Effects::default(),
        }
    }

    /// The environment.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// The log index of the last entry that was applied.
    pub fn applied_index(&self) -> u64 {
        self.applied_index
    }

    /// Cluster time, in milliseconds that the cluster could accept renewals in.
    pub fn cluster_ms(&self) -> u64 {
        self.cluster_ms
    }

    /// Returns the time that ticks have counted, in milliseconds. Unlike cluster time it does not
    /// stand still during a grace, so that a process can tell from it that its clocks stood still.
    pub fn ticked_ms(&self) -> u64 {
        match self.level < LEVEL_OF_ORDER {
            true => self.cluster_ms,
            false => self.ticked_ms,
        }
    }

    /// What is left of a grace; ticks use it up before they move cluster time.
    pub fn grace_left_ms(&self) -> u64 {
        self.grace_left_ms
    }

    /// The level of commands in use.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// The level in use, if this release does not know it: the node must then stop, and a release that does is needed.
    pub fn unknown_level(&self) -> Option<u32> {
        (self.level > LEVEL).then_some(self.level)
    }

    /// Whether exactly this announcement is held, so that a [`Command::Renew`] will do.
    pub fn holds(&self, node_id: &str, digest: u128) -> bool {
        self.nodes
            .get(node_id)
            .is_some_and(|held| held.digest == digest)
    }

    /// What is held of a node.
    pub fn held(&self, node_id: &str) -> Option<&Held> {
        self.nodes.get(node_id)
    }

    /// All nodes that are held, in order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Held)> {
        self.nodes.iter().map(|(node_id, held)| (&**node_id, held))
    }

    /// A static service.
    pub fn static_service(&self, id: &str) -> Option<&StaticService> {
        self.statics.get(id).map(|held| &*held.service)
    }

    /// Whether nothing is held that could expire.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The number of services held, statics too.
    pub fn services(&self) -> usize {
        self.services
    }

    /// Whether a raft id was replaced and must not come back.
    pub fn is_retired(&self, raft_id: u64) -> bool {
        self.retired.contains(&raft_id)
    }
}
