//! Applies announcements, renewals and withdrawals of a node.

use crate::command::{Batch, Outcome};
use crate::level::{LEVEL_OF_LIMITS, LEVEL_OF_PROCESSES};
use crate::model::Announcement;
use crate::order::WriteOrder;
use crate::registry::Registry;
use crate::state::borrowed::BorrowedAnnouncement;
use crate::state::by_id::by_id;
use crate::state::node_entry::NodeEntry;
use quorate_planted::{Bug, is_planted};
use std::sync::Arc;

impl Registry {
    /// Applies an announcement: registers the node, or replaces its stored announcement. If exactly
    /// this announcement is stored, the node is renewed. An announcement that is superseded or
    /// exceeds a limit changes nothing.
    pub(crate) fn announce(
        &mut self,
        index: u64,
        batch: &Batch,
        order: WriteOrder,
        announcement: &Announcement,
    ) -> Outcome {
        let name = announcement.node_id.as_str();
        let new = BorrowedAnnouncement::of(announcement);
        let digest = new.digest();
        let known = self.nodes.get_key_value(name);
        let (node_id, before) = match known {
            Some((_, entry)) if entry.digest == digest => {
                return self.renew(index, batch, order, (name, digest));
            }
            Some((_, entry)) if order.is_superseded_by(entry.written_index) => {
                return Outcome::Superseded;
            }
            None if order.is_superseded_by(self.tombstones.last(name)) => {
                return Outcome::Superseded;
            }
            Some((node_id, entry)) => (node_id.clone(), Some(entry.clone())),
            None => (Arc::from(name), None),
        };
        if self.level >= LEVEL_OF_LIMITS && self.objection(announcement).is_some() {
            return Outcome::OverLimit;
        }
        let mut entry = NodeEntry::new(&new, digest, index);
        let old = before.as_ref().map(NodeEntry::unpack);
        if !self.fits_announcement(before.as_ref().zip(old.as_ref()), (&entry, &new)) {
            return Outcome::CapacityExceeded;
        }
        let cost_bytes = |entry: &NodeEntry| entry.cost_bytes(self.level);
        self.held_bytes -= before.as_ref().map_or(0, cost_bytes);
        self.held_bytes += cost_bytes(&entry);
        match before {
            Some(_) => self.counts.replaced += 1,
            None => self.counts.joined += 1,
        }
        if let (Some(before), Some(old)) = (&before, &old) {
            if self.level < LEVEL_OF_PROCESSES || same_process(old, &new) {
                entry.joined_index = before.joined_index;
            }
            self.sum = self.sum.wrapping_sub(before.element(self.level));
        }
        entry.deadline_ms = next_deadline(&mut self.step_limit_ms, self.cluster_ms, batch);
        self.reindex(&node_id, old.as_ref(), Some(&new), index);
        self.sum = self.sum.wrapping_add(entry.element(self.level));
        match &before {
            Some(before) => self.move_deadline(&node_id, before.deadline_ms, entry.deadline_ms),
            None => {
                self.tombstones.forget(&node_id);
                self.deadlines.insert((entry.deadline_ms, node_id.clone()));
            }
        }
        self.nodes.insert(node_id, entry);
        Outcome::Applied
    }

    /// Applies a withdrawal: removes the node and records a tombstone, unless the write is
    /// superseded.
    pub(crate) fn withdraw(&mut self, index: u64, order: WriteOrder, node_id: &str) -> Outcome {
        match self.nodes.get_key_value(node_id) {
            Some((_, entry)) if order.is_superseded_by(entry.written_index) => {
                return Outcome::Superseded;
            }
            None if order.is_superseded_without_effect_by(self.tombstones.last(node_id)) => {
                return Outcome::Superseded;
            }
            Some((node_id, _)) => {
                let node_id = node_id.clone();
                self.remove_node(&node_id, index);
                self.counts.withdrawn += 1;
            }
            // The tombstone is recorded nevertheless. An announcement that was received before this
            // withdrawal must not bring the node back after the withdrawal was acknowledged.
            None => self.tombstones.record(&Arc::from(node_id), index),
        }
        Outcome::Applied
    }

    /// Applies a renewal: sets a new deadline if the announcement with this digest is stored,
    /// unless the write is superseded.
    pub(crate) fn renew(
        &mut self,
        index: u64,
        batch: &Batch,
        order: WriteOrder,
        (node_id, digest): (&str, u128),
    ) -> Outcome {
        let known = self.nodes.get_mut(node_id);
        let Some(entry) = known.filter(|entry| entry.digest == digest) else {
            return Outcome::NotRegistered;
        };
        if order.is_superseded_without_effect_by(entry.written_index) {
            return Outcome::Superseded;
        }
        let deadline_ms = next_deadline(&mut self.step_limit_ms, self.cluster_ms, batch);
        self.sum = self.sum.wrapping_sub(entry.element(self.level));
        let before_ms = std::mem::replace(&mut entry.deadline_ms, deadline_ms);
        entry.written_index = index;
        self.sum = self.sum.wrapping_add(entry.element(self.level));
        self.move_deadline(node_id, before_ms, deadline_ms);
        Outcome::Applied
    }

    /// Moves a node to its new deadline in the queue of deadlines.
    fn move_deadline(&mut self, node_id: &str, before_ms: u64, deadline_ms: u64) {
        // A second write between two ticks results in the same deadline.
        if before_ms == deadline_ms {
            return;
        }
        let before = (before_ms, Arc::from(node_id));
        let known = match is_planted(Bug::OldDeadline) {
            true => self.deadlines.get(&before).cloned(),
            false => self.deadlines.take(&before),
        };
        let node_id = known.map_or(before.1, |(_, node_id)| node_id);
        self.deadlines.insert((deadline_ms, node_id));
    }

    /// Removes a node, if it is registered, and records a tombstone.
    pub(crate) fn remove_node(&mut self, node_id: &Arc<str>, index: u64) {
        let Some(entry) = self.nodes.remove(node_id) else {
            return;
        };
        self.deadlines.remove(&(entry.deadline_ms, node_id.clone()));
        self.sum = self.sum.wrapping_sub(entry.element(self.level));
        self.held_bytes -= entry.cost_bytes(self.level);
        self.reindex(node_id, Some(&entry.unpack()), None, index);
        self.tombstones.record(node_id, index);
    }
}

/// Returns the deadline of an announcement or renewal applied now. Takes only the fields that it
/// needs, since the caller has a mutable borrow of a node.
fn next_deadline(step_limit_ms: &mut u64, cluster_ms: u64, batch: &Batch) -> u64 {
    *step_limit_ms = batch.step_ms.min(*step_limit_ms);
    cluster_ms
        .saturating_add(batch.max_age_ms)
        .saturating_add(batch.step_ms)
}

/// Returns whether two announcements of a node come from the same process. A process generates new
/// service ids when it starts. Announcements without a common service id therefore come from two
/// processes.
fn same_process(before: &BorrowedAnnouncement<'_>, after: &BorrowedAnnouncement<'_>) -> bool {
    by_id(&before.services, &after.services).any(|pair| matches!(pair, (Some(_), Some(_))))
}
