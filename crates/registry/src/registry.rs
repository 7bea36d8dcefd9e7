//! The state, and what can be asked of it at once.

use crate::level::{LEVEL, LEVEL_OF_ORDER};
use crate::model::StaticService;
use crate::state::changes::{Change, Effects};
use crate::state::cost::MAX_HELD_BYTES;
use crate::state::node_entry::Held;
use crate::state::rendered::Renderings;
use crate::state::static_entry::HeldStatic;
use crate::state::tombstones::Removals;
use crate::state::type_index::Groups;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The most retired raft ids that are remembered; each is one replaced member, so this is years of replacements.
/// Past it the oldest is forgotten.
pub(crate) const MAX_RETIRED: usize = 1024;

/// What the cluster holds.
///
/// - The same entries give the same state on every node: `apply` reads nothing but the entry and the state.
/// - A node is held from its first accepted announcement until it withdraws or expires.
/// - An announcement expires only when cluster time reaches its deadline, and only a tick moves cluster time.
/// - What was removed comes back only by an announcement whose taker had seen the removal.
#[derive(Debug)]
pub struct Registry {
    pub(crate) environment: String,
    pub(crate) applied_index: u64,
    pub(crate) level: u32,
    pub(crate) cluster_ms: u64,
    pub(crate) grace_left_ms: u64,
    /// The time that ticks have counted, from [`LEVEL_OF_ORDER`] on; zero before.
    pub(crate) ticked_ms: u64,
    /// The least `step_ms` of all batches that set a deadline since the last tick: the next tick moves no further.
    pub(crate) step_limit_ms: u64,
    pub(crate) nodes: BTreeMap<Arc<str>, Held>,
    pub(crate) deadlines: BTreeSet<(u64, Arc<str>)>,
    pub(crate) statics: BTreeMap<Arc<str>, HeldStatic>,
    pub(crate) groups: Groups,
    pub(crate) removals: Removals,
    pub(crate) retired: VecDeque<u64>,
    pub(crate) changed_index: u64,
    pub(crate) statics_changed_index: u64,
    /// The log index at which the last member of a type in a pool last went.
    pub(crate) vanished_index: u64,
    pub(crate) services: usize,
    pub(crate) held_bytes: usize,
    /// [`MAX_HELD_BYTES`]; less in tests.
    pub(crate) max_held_bytes: usize,
    /// The sum of the elements of nodes and statics.
    pub(crate) sum: u128,
    pub(crate) renderings: Renderings,
    /// Of the last entry; no part of the state.
    pub(crate) effects: Effects,
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

    /// Whether exactly this announcement is held, so that a [`Command::Renew`](crate::Command::Renew) will do.
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

    /// What the last entry did, one change for each type and pool in which a service came, changed or went.
    /// Renewals, and ticks that remove nothing, are no change.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.effects).into_changes(self.applied_index)
    }
}
