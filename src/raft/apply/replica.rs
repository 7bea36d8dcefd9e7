//! This node's copy of the registry, and the signals that wake waiting readers.

use super::evidence::Evidence;
use super::tick_history::TickHistory;
use crate::clock::{self, PauseDetector};
use crate::locks::{lock, read, write};
use crate::raft::transport::StateDigest;
use crate::raft::watch::hub::WatchHub;
use crate::registry::{Batch, Change, Command, Outcome, Registry};
use crate::storage::types::{LogId, leadership};
use std::collections::VecDeque;
use std::sync::{Mutex, RwLock, RwLockReadGuard};
use std::time::Duration;
use tokio::sync::watch;

/// Number of log indexes from one digest to the next. The number is small enough to stop a diverged
/// node within a few seconds even if only ticks are applied. It is large enough that one status
/// message can carry all kept digests.
const DIGEST_EVERY: u64 = 16;
/// Number of digests kept. At full load they reach back far enough for a comparison with a member
/// that lags by several seconds.
pub(crate) const DIGESTS_KEPT: usize = 64;

/// This node's registry, with the channels on which readers wait.
///
/// - `applied` never decreases. An index is passed to the waiting readers only after the registry
///   shows the effect of its entry.
/// - Only the state machine changes the registry.
pub(crate) struct Replica {
    registry: RwLock<Registry>,
    applied: watch::Sender<u64>,
    watch_hub: WatchHub,
    /// The last [`DIGESTS_KEPT`] digests, for comparison with other members.
    checkpoints: Mutex<VecDeque<StateDigest>>,
    history: Mutex<TickHistory>,
    evidence: Evidence,
    /// The detector to which the progress of cluster time is reported.
    pause_detector: PauseDetector,
}

impl Replica {
    pub(crate) fn new(
        registry: Registry,
        cluster_id: u64,
        recovery_gap: Duration,
        pause_detector: PauseDetector,
    ) -> Replica {
        let evidence = Evidence::default();
        evidence.note_committed(registry.applied_index());
        let watch_hub = WatchHub::new(cluster_id, registry.applied_index());
        let applied = watch::Sender::new(registry.applied_index());
        Replica {
            registry: RwLock::new(registry),
            applied,
            watch_hub,
            checkpoints: Mutex::default(),
            history: Mutex::new(TickHistory::new(recovery_gap)),
            evidence,
            pause_detector,
        }
    }

    /// Locks the registry for reading.
    pub(crate) fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        read(&self.registry)
    }

    pub(crate) fn watch_hub(&self) -> &WatchHub {
        &self.watch_hub
    }

    /// Returns the log positions that this node knows of.
    pub(crate) fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Returns whether the entry at `index` is applied and announced to readers.
    pub(crate) fn has_applied(&self, index: u64) -> bool {
        *self.applied.borrow() >= index
    }

    /// Returns a receiver of the applied index.
    pub(crate) fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// Locks the tick history.
    pub(crate) fn tick_history(&self) -> std::sync::MutexGuard<'_, TickHistory> {
        lock(&self.history)
    }

    /// Applies one entry to the registry. Returns the outcomes of the entry's commands, and the
    /// changes, which the caller passes to [`Replica::notify`].
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
        // Keep no digest at a feature level of commands that this release does not know. At such a
        // level this node stops, and other releases may compute the digest differently.
        if log_id.index().is_multiple_of(DIGEST_EVERY) && registry.unknown_level().is_none() {
            self.keep_digest(StateDigest {
                index: log_id.index(),
                digest: registry.digest(),
            });
        }
        let changes = registry.take_changes();
        self.watch_hub.keep(&changes);
        let ticked_ms = registry.ticked_ms();
        drop(registry);
        self.note(log_id, batch, ticked_ms);
        (outcomes, changes)
    }

    /// Wakes the subscribers of the changed lookups.
    pub(crate) fn notify(&self, changes: &[Change]) {
        self.watch_hub.notify(changes);
    }

    /// Announces the applied index to waiting readers. Called once no further entry is ready, and
    /// not after each entry.
    pub(crate) fn announce_applied(&self) {
        let index = self.registry().applied_index();
        self.applied.send_if_modified(|applied| {
            let moved = index > *applied;
            *applied = index.max(*applied);
            moved
        });
    }

    /// Replaces the whole state with that of a snapshot.
    pub(crate) fn install(&self, registry: Registry) {
        let mut guard = write(&self.registry);
        let counts = guard.node_counts();
        *guard = registry;
        guard.continue_counts(counts);
        // Restart the history before the lock is released, so that no reader of the new state is
        // given changes of the old state.
        self.watch_hub.start_over(guard.applied_index());
        let (index, ticked_ms) = (guard.applied_index(), guard.ticked_ms());
        drop(guard);
        self.pause_detector.observe_cluster_time(ticked_ms);
        self.evidence.note_committed(index);
        self.tick_history().installed(clock::now());
        lock(&self.checkpoints).clear();
        self.announce_applied();
    }

    /// Returns the kept digests, from the oldest to the newest.
    pub(crate) fn last_digests(&self) -> Vec<StateDigest> {
        lock(&self.checkpoints).iter().copied().collect()
    }

    /// Keeps a digest, and drops the oldest digest if there are more than [`DIGESTS_KEPT`].
    fn keep_digest(&self, checkpoint: StateDigest) {
        let mut kept = lock(&self.checkpoints);
        if kept.len() == DIGESTS_KEPT {
            kept.pop_front();
        }
        kept.push_back(checkpoint);
    }

    /// Records an applied entry in the tick history and in the evidence.
    fn note(&self, log_id: &LogId, batch: Option<&Batch>, ticked_ms: u64) {
        let leader = leadership(log_id);
        let leader = (leader.term, leader.node);
        let mut history = self.tick_history();
        history.saw_entry_of(leader);
        for command in batch.map_or(&[][..], |batch| &batch.commands) {
            if let Command::Tick { grace_ms, .. } = command {
                self.pause_detector.observe_cluster_time(ticked_ms);
                history.applied(leader, clock::now(), grace_ms.is_some());
            }
        }
        // Record the index after the tick is reported, so that a reader that sees this index also
        // knows of a pause that the tick reveals.
        self.evidence.note_committed(log_id.index());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::LEVEL;
    use openraft::impls::leader_id_adv::LeaderId;

    /// No digest is kept for comparison at a feature level of commands that this release does not
    /// know.
    #[tokio::test]
    async fn no_digest_of_an_unknown_level_is_kept() {
        for (level, kept) in [(LEVEL, 1), (LEVEL + 1, 0)] {
            let registry = Registry::new("test");
            let replica = Replica::new(registry, 1, Duration::from_secs(1), PauseDetector::start());
            let leader = LeaderId {
                term: 1,
                node_id: 1,
            };
            let batch = Batch {
                max_age_ms: 3_000,
                step_ms: 1_000,
                commands: vec![Command::Level(level)],
            };
            replica.apply(&LogId::new(leader, DIGEST_EVERY), Some(&batch));
            assert_eq!(replica.last_digests().len(), kept, "level {level}");
        }
    }
}
