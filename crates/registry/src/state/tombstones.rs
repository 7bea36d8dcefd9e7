//! Tombstones: removed nodes and the log indexes of their removals, so that an old announcement
//! does not bring a removed node back.

use crate::model::Fingerprint;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Maximum number of removed nodes that are stored individually.
///
/// A tombstone is needed only while a write of its node may be in flight, which takes seconds. It
/// is rare that more than 4,096 nodes leave within seconds. If they do, writes of unregistered
/// nodes are refused once with a request to retry, and no write is lost.
pub(crate) const MAX_TOMBSTONES: usize = 4096;

/// The log index at which each node was last removed.
///
/// - A registered node is not included.
/// - `floor` is the highest index of a dropped tombstone. An unregistered node without a tombstone
///   was therefore removed at `floor` or before, or never.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    by_node: BTreeMap<Arc<str>, u64>,
    by_index: BTreeSet<(u64, Arc<str>)>,
    floor: u64,
    sum: u128,
}

impl Tombstones {
    /// Restores the tombstones of a snapshot.
    pub fn restore(floor: u64, tombstones: Vec<(Arc<str>, u64)>) -> Self {
        let mut restored = Self {
            floor,
            ..Self::default()
        };
        for (node_id, index) in tombstones {
            restored.record(&node_id, index);
        }
        restored
    }

    /// Records that the entry at `index` removed the node.
    pub fn record(&mut self, node_id: &Arc<str>, index: u64) {
        self.forget(node_id);
        self.by_node.insert(node_id.clone(), index);
        self.by_index.insert((index, node_id.clone()));
        self.sum = self.sum.wrapping_add(element(node_id, index));
        while self.by_node.len() > MAX_TOMBSTONES {
            let Some((index, node_id)) = self.by_index.first().cloned() else {
                return;
            };
            self.forget(&node_id);
            self.floor = self.floor.max(index);
        }
    }

    /// Removes the tombstone of a node that is registered again.
    pub fn forget(&mut self, node_id: &str) {
        if let Some((node_id, index)) = self.by_node.remove_entry(node_id) {
            self.sum = self.sum.wrapping_sub(element(&node_id, index));
            self.by_index.remove(&(index, node_id));
        }
    }

    /// Returns whether the node has a tombstone.
    pub fn has(&self, node_id: &str) -> bool {
        self.by_node.contains_key(node_id)
    }

    /// Returns the highest index at which an unregistered node can have been removed.
    pub fn last(&self, node_id: &str) -> u64 {
        self.by_node.get(node_id).copied().unwrap_or(self.floor)
    }

    /// Returns the highest log index of a dropped tombstone.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Returns all tombstones in order.
    pub fn list(&self) -> Vec<(Arc<str>, u64)> {
        self.by_node
            .iter()
            .map(|(node_id, index)| (node_id.clone(), *index))
            .collect()
    }

    /// Returns the sum of the elements (the tombstones' parts of the digest), which is kept up to
    /// date.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// Recomputes the sum of the elements.
    pub fn recompute_sum(&self) -> u128 {
        self.by_node.iter().fold(0u128, |sum, (node_id, index)| {
            sum.wrapping_add(element(node_id, *index))
        })
    }
}

fn element(node_id: &str, index: u64) -> u128 {
    Fingerprint::of("removal")
        .text(node_id)
        .number(index)
        .finish()
}
