//! The state of the registry, and its basic accessors.

use crate::level::{LEVEL, LEVEL_OF_ORDER};
use crate::model::StaticService;
use crate::state::changes::{Change, EntryChanges};
use crate::state::cost::MAX_HELD_BYTES;
use crate::state::node_counts::NodeCounts;
use crate::state::node_entry::NodeEntry;
use crate::state::rendered::Renderings;
use crate::state::static_entry::StaticEntry;
use crate::state::tombstones::Tombstones;
use crate::state::type_index::TypeIndex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Maximum number of retired raft ids. The replacement of a member retires one id, so this number
/// is enough for years. Beyond this number, the oldest id is forgotten.
pub(crate) const MAX_RETIRED: usize = 1024;

/// The registry: the replicated state of the cluster.
///
/// - The same log entries produce the same state on every node: `apply` reads only the log entry
///   and the state.
/// - A node is registered from its first accepted announcement until it withdraws or expires.
/// - An announcement expires only when cluster time reaches its deadline, and only a tick advances
///   cluster time.
/// - A removed node returns only with an announcement whose receiving node had seen the removal in
///   the log.
#[derive(Debug)]
pub struct Registry {
    pub(crate) environment: String,
    pub(crate) applied_index: u64,
    pub(crate) level: u32,
    pub(crate) cluster_ms: u64,
    pub(crate) grace_left_ms: u64,
    /// The time counted by ticks, including grace periods. It is zero below [`LEVEL_OF_ORDER`].
    pub(crate) ticked_ms: u64,
    /// The least `step_ms` of all batches that set a deadline since the last tick. The next tick
    /// advances cluster time by at most this value.
    pub(crate) step_limit_ms: u64,
    pub(crate) nodes: BTreeMap<Arc<str>, NodeEntry>,
    pub(crate) deadlines: BTreeSet<(u64, Arc<str>)>,
    pub(crate) statics: BTreeMap<Arc<str>, StaticEntry>,
    pub(crate) index: TypeIndex,
    pub(crate) tombstones: Tombstones,
    pub(crate) retired: VecDeque<u64>,
    pub(crate) changed_index: u64,
    pub(crate) statics_changed_index: u64,
    /// The log index at which a type last disappeared from a pool because its last member left.
    pub(crate) vanished_index: u64,
    pub(crate) services: usize,
    pub(crate) held_bytes: usize,
    /// The limit of the memory cost: [`MAX_HELD_BYTES`], or a lower value in tests.
    pub(crate) max_held_bytes: usize,
    /// The contribution of the nodes and static services to the digest of the state: the sum of one
    /// number (the element) for each of them.
    pub(crate) sum: u128,
    pub(crate) renderings: Renderings,
    /// The effects of the last applied log entry; not part of the state.
    pub(crate) effects: EntryChanges,
    /// The events that this process has applied; not part of the state.
    pub(crate) counts: NodeCounts,
}

impl Registry {
    /// Creates an empty registry for the environment of the cluster. The environment is part of
    /// every lookup and of the digest.
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
            index: TypeIndex::default(),
            tombstones: Tombstones::default(),
            retired: VecDeque::new(),
            changed_index: 0,
            statics_changed_index: 0,
            vanished_index: 0,
            services: 0,
            held_bytes: 0,
            max_held_bytes: MAX_HELD_BYTES,
            sum: 0,
            renderings: Renderings::default(),
            effects: EntryChanges::default(),
            counts: NodeCounts::default(),
        }
    }

    /// Returns the environment.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// Returns the log index of the last applied entry.
    pub fn applied_index(&self) -> u64 {
        self.applied_index
    }

    /// Returns cluster time: the milliseconds in which the cluster could accept renewals.
    pub fn cluster_ms(&self) -> u64 {
        self.cluster_ms
    }

    /// Returns the time counted by ticks, in milliseconds. Cluster time stops during a grace
    /// period, but this time does not. A process that compares this time with its own clock can
    /// therefore detect that the clock stopped.
    pub fn ticked_ms(&self) -> u64 {
        match self.level < LEVEL_OF_ORDER {
            true => self.cluster_ms,
            false => self.ticked_ms,
        }
    }

    /// Returns the rest of the grace period in milliseconds. Ticks use up this rest before they
    /// advance cluster time.
    pub fn grace_left_ms(&self) -> u64 {
        self.grace_left_ms
    }

    /// Returns the feature level of commands in use.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Returns the level in use if this release does not know this level. In this case the node
    /// must stop, and needs a release that knows the level.
    pub fn unknown_level(&self) -> Option<u32> {
        (self.level > LEVEL).then_some(self.level)
    }

    /// Returns whether exactly this announcement is stored, so that a
    /// [`Command::Renew`](crate::Command::Renew) is sufficient.
    pub fn holds(&self, node_id: &str, digest: u128) -> bool {
        self.nodes
            .get(node_id)
            .is_some_and(|entry| entry.digest == digest)
    }

    /// Returns the stored announcement of a node.
    pub fn held(&self, node_id: &str) -> Option<&NodeEntry> {
        self.nodes.get(node_id)
    }

    /// Returns all registered nodes, sorted by id.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &NodeEntry)> {
        self.nodes
            .iter()
            .map(|(node_id, entry)| (&**node_id, entry))
    }

    /// Returns the number of registered nodes.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Returns a static service.
    pub fn static_service(&self, id: &str) -> Option<&StaticService> {
        self.statics.get(id).map(|entry| &*entry.service)
    }

    /// Returns whether there are no nodes, and thus nothing that could expire.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns the number of services, including static ones.
    pub fn services(&self) -> usize {
        self.services
    }

    /// Returns the counts of joins and leaves that this process has applied.
    pub fn node_counts(&self) -> NodeCounts {
        self.counts
    }

    /// Continues the counts of the replica that this one replaces.
    pub fn continue_counts(&mut self, counts: NodeCounts) {
        self.counts = counts;
    }

    /// Returns whether a raft id was replaced and must not return.
    pub fn is_retired(&self, raft_id: u64) -> bool {
        self.retired.contains(&raft_id)
    }

    /// Returns the changes of the last applied log entry, one for each type and pool in which a
    /// service was added, changed or removed. Renewals, and ticks that remove nothing, are not
    /// changes.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.effects).into_changes(self.applied_index)
    }
}
