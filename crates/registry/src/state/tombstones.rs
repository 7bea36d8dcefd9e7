//! Which nodes went, and when: so that an old announcement does not come back after its node was removed.

use crate::model::Fingerprint;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most removed nodes that are remembered one by one.
///
/// A node is looked for only as long as a write of it may be under way, which is seconds. 4,096 is more than leave in
/// that time; if more do, the writes of nodes that are not held are asked to come again once, and none is lost.
pub(crate) const MAX_REMOVALS: usize = 4096;

/// The log index at which each node was last removed.
///
/// - A node that is held is not in it.
/// - `floor` is the highest index that was dropped: a node that is not listed was removed at `floor` or before.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    by_node: BTreeMap<Arc<str>, u64>,
    by_index: BTreeSet<(u64, Arc<str>)>,
    floor: u64,
    sum: u128,
}

impl Removals {
    /// What a snapshot holds.
    pub fn restore(floor: u64, removals: Vec<(Arc<str>, u64)>) -> Self {
        let mut restored = Self {
            floor,
            ..Self::default()
        };
        for (node_id, index) in removals {
            restored.record(&node_id, index);
        }
        restored
    }

    /// The node was removed by the entry at `index`.
    pub fn record(&mut self, node_id: &Arc<str>, index: u64) {
        self.forget(node_id);
        self.by_node.insert(node_id.clone(), index);
        self.by_index.insert((index, node_id.clone()));
        self.sum = self.sum.wrapping_add(element(node_id, index));
        while self.by_node.len() > MAX_REMOVALS {
            let Some((index, node_id)) = self.by_index.first().cloned() else {
                return;
            };
            self.forget(&node_id);
            self.floor = self.floor.max(index);
        }
    }

    /// The node is held again.
    pub fn forget(&mut self, node_id: &str) {
        if let Some((node_id, index)) = self.by_node.remove_entry(node_id) {
            self.sum = self.sum.wrapping_sub(element(&node_id, index));
            self.by_index.remove(&(index, node_id));
        }
    }

    /// The highest index at which a node that is not held can have been removed.
    pub fn last(&self, node_id: &str) -> u64 {
        self.by_node.get(node_id).copied().unwrap_or(self.floor)
    }

    /// The highest index that is no longer known by node.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// All that is remembered, in order.
    pub fn list(&self) -> Vec<(Arc<str>, u64)> {
        self.by_node
            .iter()
            .map(|(node_id, index)| (node_id.clone(), *index))
            .collect()
    }

    /// The sum of the elements, kept up to date.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The same sum, computed anew.
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
