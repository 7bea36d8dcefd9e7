//! This node's copy of the registry, and what those who wait for it need to know.

use super::evidence::Evidence;
use super::tick_history::TickJournal;
use crate::clock::{self, Beat};
use crate::locks::{lock, read, write};
use crate::raft::transport::Checkpoint;
use crate::raft::watch::hub::Feeds;
use crate::registry::{Batch, Change, Command, Outcome, Registry};
use crate::storage::types::{LogId, leadership};
use std::collections::VecDeque;
use std::sync::{Mutex, RwLock, RwLockReadGuard};
use std::time::Duration;
use tokio::sync::watch;

/// Digests are compared at every index that this divides: often enough to stop a node that differs within
/// seconds of ticks, and rare enough that a pulse carries them all.
const CHECKPOINT_EVERY: u64 = 16;
/// How many digests are kept: at full load this covers a member that lags by some seconds.
pub(crate) const CHECKPOINTS_KEPT: usize = 64;

/// The registry with its waiting readers.
///
/// - `applied` never goes back and is announced only after the registry shows it.
/// - only the state machine changes the registry.
pub(crate) struct Replica {
    registry: RwLock<Registry>,
    applied: watch::Sender<u64>,
    feeds: Feeds,
    checkpoints: Mutex<VecDeque<Checkpoint>>,
    journal: Mutex<TickJournal>,
    evidence: Evidence,
    /// Is told how cluster time goes.
    beat: Beat,
}

impl Replica {
    pub(crate) fn new(
        registry: Registry,
        cluster_id: u64,
        recovery_gap: Duration,
        beat: Beat,
    ) -> Replica {
        let evidence = Evidence::default();
        evidence.note_committed(registry.applied_index());
        let feeds = Feeds::new(cluster_id, registry.applied_index());
        let applied = watch::Sender::new(registry.applied_index());
        Replica {
            registry: RwLock::new(registry),
            applied,
            feeds,
            checkpoints: Mutex::default(),
            journal: Mutex::new(TickJournal::new(recovery_gap)),
            evidence,
            beat,
        }
    }

    pub(crate) fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        read(&self.registry)
    }

    pub(crate) fn feeds(&self) -> &Feeds {
        &self.feeds
    }

    /// What this node has heard of the log.
    pub(crate) fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    pub(crate) fn has_applied(&self, index: u64) -> bool {
        *self.applied.borrow() >= index
    }

    pub(crate) fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    pub(crate) fn journal(&self) -> std::sync::MutexGuard<'_, TickJournal> {
        lock(&self.journal)
    }

    /// Applies one entry. Those who wait for its changes are told of them by [`Replica::tell`].
    pub(crate) fn apply(
        &self,
        log_id: &LogId,
        batch: Option<&Batch>,
    ) -> (Vec<Outcome>, Vec<Change>) {
        let mut registry = write(&self.registry);
        let outcomes = match batch {
            Some(batch) => registry.apply_proposed(log_id.index(), leadership(log_id), batch),
            None => {
                registry.advance(log_id.index());
                Vec::new()
            }
        };
        // Of a level that this release does not know the digest may be computed otherwise, and the node ends.
        if log_id.index().is_multiple_of(CHECKPOINT_EVERY) && registry.unknown_level().is_none() {
            self.keep_checkpoint(Checkpoint {
                index: log_id.index(),
                digest: registry.digest(),
            });
        }
        let changes = registry.take_changes();
        self.feeds.keep(&changes);
        let ticked_ms = registry.ticked_ms();
        drop(registry);
        self.note(log_id, batch, ticked_ms);
        (outcomes, changes)
    }

    /// Wakes those who wait for what has changed.
    pub(crate) fn tell(&self, changes: &[Change]) {
        self.feeds.tell(changes);
    }

    /// Tells waiting readers how far the registry is. Called after each run of entries, not after each entry.
    pub(crate) fn announce_applied(&self) {
        let index = self.registry().applied_index();
        self.applied.send_if_modified(|applied| {
            let moved = index > *applied;
            *applied = index.max(*applied);
            moved
        });
    }

    /// Takes the place of the whole state, from a snapshot.
    pub(crate) fn install(&self, registry: Registry) {
        let mut held = write(&self.registry);
        *held = registry;
        // Before the lock is given back: nobody may look for changes of the old state from the new one on.
        self.feeds.start_over(held.applied_index());
        let (index, ticked_ms) = (held.applied_index(), held.ticked_ms());
        drop(held);
        self.beat.observe_cluster_time(ticked_ms);
        self.evidence.note_committed(index);
        self.journal().installed(clock::now());
        lock(&self.checkpoints).clear();
        self.announce_applied();
    }

    pub(crate) fn checkpoints(&self) -> Vec<Checkpoint> {
        lock(&self.checkpoints).iter().copied().collect()
    }

    fn keep_checkpoint(&self, checkpoint: Checkpoint) {
        let mut kept = lock(&self.checkpoints);
        if kept.len() == CHECKPOINTS_KEPT {
            kept.pop_front();
        }
        kept.push_back(checkpoint);
    }

    fn note(&self, log_id: &LogId, batch: Option<&Batch>, ticked_ms: u64) {
        let leader = leadership(log_id);
        let leader = (leader.term, leader.node);
        let mut journal = self.journal();
        journal.saw_entry_of(leader);
        for command in batch.map_or(&[][..], |batch| &batch.commands) {
            if let Command::Tick { grace_ms, .. } = command {
                self.beat.observe_cluster_time(ticked_ms);
                journal.applied(leader, clock::now(), grace_ms.is_some());
            }
        }
        // After the tick was told: who reads in this what came with it knows of a stop as well.
        self.evidence.note_committed(log_id.index());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::LEVEL;
    use openraft::impls::leader_id_adv::LeaderId;

    /// A digest of a level that this release does not know is none that others may compare with theirs.
    #[tokio::test]
    async fn no_digest_of_an_unknown_level_is_kept() {
        for (level, kept) in [(LEVEL, 1), (LEVEL + 1, 0)] {
            let registry = Registry::new("test");
            let replica = Replica::new(registry, 1, Duration::from_secs(1), Beat::start());
            let leader = LeaderId {
                term: 1,
                node_id: 1,
            };
            let batch = Batch {
                max_age_ms: 3_000,
                step_ms: 1_000,
                commands: vec![Command::Level(level)],
            };
            replica.apply(&LogId::new(leader, CHECKPOINT_EVERY), Some(&batch));
            assert_eq!(replica.checkpoints().len(), kept, "level {level}");
        }
    }
}
