//! What each command does.

use super::by_id::by_id;
use super::held::Unpacked;
use super::order::Order;
use super::ticks::next_deadline;
use super::{
    Batch, Command, Held, HeldStatic, LEVEL_OF_LIMITS, LEVEL_OF_ORDER, LEVEL_OF_PROCESSES,
    Leadership, MAX_RETIRED, Outcome, Registry,
};
use crate::model::{Announcement, StaticService};
use quorate_planted::{Bug, is_planted};
use std::sync::Arc;

impl Registry {
    /// Applies the entry at `index`, which comes after every entry applied so far (the first of all may have
    /// index 0). One outcome a command, in order.
    ///
    /// The leader that proposed it is not known, so that what a leader had in its log counts for
    /// nothing ([`super::Tail`]).
    pub fn apply(&mut self, index: u64, batch: &Batch) -> Vec<Outcome> {
        self.apply_entry(index, None, batch)
    }

    /// Applies the entry at `index` as [`Registry::apply`] does, proposed by this leader.
    pub fn apply_proposed(
        &mut self,
        index: u64,
        proposer: Leadership,
        batch: &Batch,
    ) -> Vec<Outcome> {
        self.apply_entry(index, Some(proposer), batch)
    }

    fn apply_entry(
        &mut self,
        index: u64,
        proposer: Option<Leadership>,
        batch: &Batch,
    ) -> Vec<Outcome> {
        debug_assert!(
            index >= self.applied_index,
            "entry {index} comes after {}",
            self.applied_index
        );
        self.applied_index = index;
        self.effects.clear();
        batch
            .commands
            .iter()
            .map(|command| self.apply_one(index, proposer, batch, command))
            .collect()
    }

    /// Notes an entry that carries no commands: a blank one, or a membership.
    pub fn advance(&mut self, index: u64) {
        debug_assert!(
            index >= self.applied_index,
            "entry {index} comes after {}",
            self.applied_index
        );
        self.applied_index = index;
        self.effects.clear();
    }

    fn apply_one(
        &mut self,
        index: u64,
        proposer: Option<Leadership>,
        batch: &Batch,
        command: &Command,
    ) -> Outcome {
        match command {
            Command::Announce { seen, announcement } => {
                self.announce(index, batch, Order::seen(*seen), announcement)
            }
            Command::OrderedAnnounce {
                arrival,
                announcement,
            } => {
                let order = Order::of(arrival, proposer, self.ticked_ms());
                self.announce(index, batch, order, announcement)
            }
            Command::Withdraw { seen, node_id } => {
                self.withdraw(index, Order::seen(*seen), node_id)
            }
            Command::OrderedWithdraw { arrival, node_id } => {
                let order = Order::of(arrival, proposer, self.ticked_ms());
                self.withdraw(index, order, node_id)
            }
            Command::Renew {
                seen,
                node_id,
                digest,
            } => self.renew(index, batch, Order::seen(*seen), (node_id, *digest)),
            Command::OrderedRenew {
                arrival,
                node_id,
                digest,
            } => {
                let order = Order::of(arrival, proposer, self.ticked_ms());
                self.renew(index, batch, order, (node_id, *digest))
            }
            Command::AddStatic(service) => self.add_static(index, service),
            Command::RemoveStatic { id } => self.remove_static(index, id),
            Command::Tick {
                advance_ms,
                grace_ms,
            } => self.tick(index, *advance_ms, batch.step_ms, *grace_ms),
            Command::Retire { raft_ids } => self.retire(raft_ids),
            Command::Level(level) => {
                if *level > self.level {
                    if self.level < LEVEL_OF_ORDER {
                        self.ticked_ms = self.cluster_ms;
                    }
                    self.level = *level;
                    // Elements are computed otherwise from some levels on.
                    self.sum = self.recompute_sum();
                    self.held_bytes = self.recompute_held_bytes();
                }
                Outcome::Applied
            }
        }
    }

    fn announce(
        &mut self,
        index: u64,
        batch: &Batch,
        order: Order,
        announcement: &Announcement,
    ) -> Outcome {
        let name = announcement.node_id.as_str();
        let digest = announcement.digest();
        let known = self.nodes.get_key_value(name);
        let (node_id, before) = match known {
            Some((_, held)) if held.digest == digest => {
                return self.renew(index, batch, order, (name, digest));
            }
            Some((_, held)) if order.is_overtaken_by(held.written_index) => {
                return Outcome::Overtaken;
            }
            None if order.is_overtaken_by(self.removals.last(name)) => return Outcome::Overtaken,
            Some((node_id, held)) => (node_id.clone(), Some(held.clone())),
            None => (Arc::from(name), None),
        };
        if self.level >= LEVEL_OF_LIMITS && self.objection(announcement).is_some() {
            return Outcome::OverLimit;
        }
        let mut held = Held::new(announcement, digest, index);
        let packed = held.share();
        let (old, new) = (before.as_ref().map(Held::unpack), packed.unpack());
        if !self.fits_announcement(before.as_ref().zip(old.as_ref()), (&held, &new)) {
            return Outcome::Full;
        }
        let cost_bytes = |held: &Held| held.cost_bytes(self.level);
        self.held_bytes -= before.as_ref().map_or(0, cost_bytes);
        self.held_bytes += cost_bytes(&held);
        if let (Some(before), Some(old)) = (&before, &old) {
            if self.level < LEVEL_OF_PROCESSES || same_process(old, &new) {
                held.joined_index = before.joined_index;
            }
            self.deadlines
                .remove(&(before.deadline_ms, node_id.clone()));
            self.sum = self.sum.wrapping_sub(before.element(self.level));
        }
        held.deadline_ms = next_deadline(&mut self.step_limit_ms, self.cluster_ms, batch);
        self.regroup(&node_id, old.as_ref(), Some(&new), index);
        self.removals.forget(&node_id);
        self.sum = self.sum.wrapping_add(held.element(self.level));
        self.deadlines.insert((held.deadline_ms, node_id.clone()));
        self.nodes.insert(node_id, held);
        Outcome::Applied
    }

    fn withdraw(&mut self, index: u64, order: Order, node_id: &str) -> Outcome {
        match self.nodes.get_key_value(node_id) {
            Some((_, held)) if order.is_overtaken_by(held.written_index) => {
                return Outcome::Overtaken;
            }
            None if order.is_overtaken_without_effect_by(self.removals.last(node_id)) => {
                return Outcome::Overtaken;
            }
            Some((node_id, _)) => {
                let node_id = node_id.clone();
                self.remove_node(&node_id, index);
            }
            // Noted all the same: an announcement taken before this must not make a ghost after it was acknowledged.
            None => self.removals.record(&Arc::from(node_id), index),
        }
        Outcome::Applied
    }

    fn renew(
        &mut self,
        index: u64,
        batch: &Batch,
        order: Order,
        (node_id, digest): (&str, u128),
    ) -> Outcome {
        let known = self.nodes.get_mut(node_id);
        let Some(held) = known.filter(|held| held.digest == digest) else {
            return Outcome::NotHeld;
        };
        if order.is_overtaken_without_effect_by(held.written_index) {
            return Outcome::Overtaken;
        }
        let deadline_ms = next_deadline(&mut self.step_limit_ms, self.cluster_ms, batch);
        self.sum = self.sum.wrapping_sub(held.element(self.level));
        let before_ms = std::mem::replace(&mut held.deadline_ms, deadline_ms);
        held.written_index = index;
        self.sum = self.sum.wrapping_add(held.element(self.level));
        // A node that renews twice between two ticks has the same.
        if before_ms != deadline_ms {
            self.move_deadline(node_id, before_ms, deadline_ms);
        }
        Outcome::Applied
    }

    fn move_deadline(&mut self, node_id: &str, before_ms: u64, deadline_ms: u64) {
        let before = (before_ms, Arc::from(node_id));
        let known = match is_planted(Bug::OldDeadline) {
            true => self.deadlines.get(&before).cloned(),
            false => self.deadlines.take(&before),
        };
        let node_id = known.map_or(before.1, |(_, node_id)| node_id);
        self.deadlines.insert((deadline_ms, node_id));
    }

    /// Removes a node that is held.
    pub(super) fn remove_node(&mut self, node_id: &Arc<str>, index: u64) {
        let Some(held) = self.nodes.remove(node_id) else {
            return;
        };
        self.deadlines.remove(&(held.deadline_ms, node_id.clone()));
        self.sum = self.sum.wrapping_sub(held.element(self.level));
        self.held_bytes -= held.cost_bytes(self.level);
        self.regroup(node_id, Some(&held.unpack()), None, index);
        self.removals.record(node_id, index);
    }

    fn add_static(&mut self, index: u64, service: &StaticService) -> Outcome {
        if self.static_service(&service.id) == Some(service) {
            return Outcome::Applied;
        }
        let held = HeldStatic {
            service: Arc::new(service.clone()),
            changed_index: index,
        };
        if !self.fits_static(self.statics.get(service.id.as_str()), &held) {
            return Outcome::Full;
        }
        self.remove_static(index, &service.id);
        self.held_bytes += held.cost_bytes(self.level);
        let id: Arc<str> = Arc::from(service.id.as_str());
        self.change_group(&service.service_type, &service.pool, index, |group| {
            group.statics.insert(id.clone());
        });
        self.effects.static_put(service);
        self.sum = self.sum.wrapping_add(held.element());
        self.statics.insert(id, held);
        self.services += 1;
        self.static_changed(index);
        Outcome::Applied
    }

    fn remove_static(&mut self, index: u64, id: &str) -> Outcome {
        if let Some(held) = self.statics.remove(id) {
            let service = &held.service;
            self.sum = self.sum.wrapping_sub(held.element());
            self.held_bytes -= held.cost_bytes(self.level);
            self.services -= 1;
            self.change_group(&service.service_type, &service.pool, index, |group| {
                group.statics.remove(id);
            });
            self.effects.static_removed(service);
            self.static_changed(index);
        }
        Outcome::Applied
    }

    fn static_changed(&mut self, index: u64) {
        self.statics_changed_index = index;
        self.renderings.invalidate_statics();
    }

    fn retire(&mut self, raft_ids: &[u64]) -> Outcome {
        for raft_id in raft_ids {
            if self.is_retired(*raft_id) {
                continue;
            }
            if self.retired.len() == MAX_RETIRED {
                self.retired.pop_front();
            }
            self.retired.push_back(*raft_id);
        }
        Outcome::Applied
    }
}

/// Whether two announcements of a node come from one run of it. Each run draws new service ids, so that one with no
/// service in common is another: it joins anew.
fn same_process(before: &Unpacked<'_>, after: &Unpacked<'_>) -> bool {
    by_id(&before.services, &after.services).any(|pair| matches!(pair, (Some(_), Some(_))))
}
