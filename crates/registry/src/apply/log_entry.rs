//! Applies log entries: dispatches each command.

use crate::command::{Batch, Command, Outcome};
use crate::level::LEVEL_OF_ORDER;
use crate::order::{Leadership, WriteOrder};
use crate::registry::{MAX_RETIRED, Registry};

impl Registry {
    /// Applies the entry at `index`, and returns one outcome per command, in order. The entry must
    /// follow all applied entries. The very first entry may have index 0.
    ///
    /// This function does not know the leader that proposed the entry. It therefore ignores the
    /// [`Tail`](crate::Tail) of a write, which is valid only if the leader that it names proposed
    /// the entry.
    pub fn apply(&mut self, index: u64, batch: &Batch) -> Vec<Outcome> {
        self.apply_entry(index, None, batch)
    }

    /// Applies the entry at `index`, which `proposer` proposed. Unlike [`Registry::apply`], uses
    /// the [`Tail`](crate::Tail) of a write if the tail names `proposer` as its leader.
    pub fn apply_proposed(
        &mut self,
        index: u64,
        proposer: Leadership,
        batch: &Batch,
    ) -> Vec<Outcome> {
        self.apply_entry(index, Some(proposer), batch)
    }

    /// Applies the commands of an entry in order.
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

    /// Applies an entry without commands, which is a blank entry or a membership change. Only the
    /// applied index advances.
    pub fn advance(&mut self, index: u64) {
        debug_assert!(
            index >= self.applied_index,
            "entry {index} comes after {}",
            self.applied_index
        );
        self.applied_index = index;
        self.effects.clear();
    }

    /// Applies one command and returns its outcome.
    fn apply_one(
        &mut self,
        index: u64,
        proposer: Option<Leadership>,
        batch: &Batch,
        command: &Command,
    ) -> Outcome {
        match command {
            Command::Announce { seen, announcement } => {
                self.announce(index, batch, WriteOrder::seen(*seen), announcement)
            }
            Command::OrderedAnnounce {
                arrival,
                announcement,
            } => {
                let order = WriteOrder::of(arrival, proposer, self.ticked_ms());
                self.announce(index, batch, order, announcement)
            }
            Command::Withdraw { seen, node_id } => {
                self.withdraw(index, WriteOrder::seen(*seen), node_id)
            }
            Command::OrderedWithdraw { arrival, node_id } => {
                let order = WriteOrder::of(arrival, proposer, self.ticked_ms());
                self.withdraw(index, order, node_id)
            }
            Command::Renew {
                seen,
                node_id,
                digest,
            } => self.renew(index, batch, WriteOrder::seen(*seen), (node_id, *digest)),
            Command::OrderedRenew {
                arrival,
                node_id,
                digest,
            } => {
                let order = WriteOrder::of(arrival, proposer, self.ticked_ms());
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
                    // Some feature levels change how elements (the parts of the digest) and costs
                    // are computed.
                    self.sum = self.recompute_sum();
                    self.held_bytes = self.recompute_held_bytes();
                }
                Outcome::Applied
            }
        }
    }

    /// Retires raft ids that were replaced and must not return. Forgets the oldest beyond
    /// [`MAX_RETIRED`].
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
