//! The leader's task that advances cluster time (docs/decisions/0003).

use crate::clock::{self, Instant};
use crate::planted::{Bug, is_planted};
use crate::raft::apply::tick_history::LeaderKey;
use crate::raft::apply::tick_timing::{STEP, TICK_INTERVAL};
use crate::raft::group::{Group, paced};
use crate::raft::log_target;
use crate::registry::{Command, Outcome, Registry};
use crate::storage::types::Proposal;
use openraft::impls::ProgressResponder;
use openraft::vote::RaftLeaderId;
use std::sync::Arc;
use std::time::Duration;

/// Proposes ticks while this node leads, until the group stops.
///
/// - One tick is in flight at a time. A tick is accepted only while this node still leads in the
///   same term, and is never forwarded.
/// - Before its first tick in a term, this node waits until it has applied an entry that it
///   proposed in that term. Up to that entry, the log may still contain a tick of an older leader.
/// - Each tick advances time by the duration since the last applied tick. If another node proposed
///   that tick, the duration begins when this node applied it. If this node proposed that tick, the
///   duration begins with the proposal, or later if the tick took long to commit (see
///   [`OwnTick::base`]).
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(TICK_INTERVAL);
    let mut own: Option<OwnTick> = None;
    while group.next(&mut pace).await {
        if group.leads() {
            own = tick(&group, own).await;
        }
    }
}

/// The last tick that this node proposed and saw applied.
#[derive(Clone, Copy)]
struct OwnTick {
    /// This node as a leader, with the term in which it proposed the tick. In a later term the tick
    /// is not used any more, since ticks of other nodes may have followed it.
    leader: LeaderKey,
    /// The duration by which the tick advanced cluster time.
    advance: Duration,
    /// The end of the time that the tick counted.
    counted_to: Instant,
    /// The time at which this node saw the tick applied.
    applied: Instant,
}

impl OwnTick {
    /// Returns the start of the time that the next tick counts. This is the end of the time that
    /// this tick counted, or later if this tick waited long for a majority.
    ///
    /// This tick and the next tick may count time that passed before this tick was applied, but
    /// together at most one [`STEP`] of that time. The limit is for the entries before this tick in
    /// the log. Such an entry may have been committed just before this tick was applied. The
    /// deadlines that the entry sets allow for only one step of time from before its commit.
    fn base(&self) -> Instant {
        let allowed = STEP.saturating_sub(self.advance);
        let waited = self.applied.duration_since(self.counted_to);
        self.applied - waited.min(allowed)
    }
}

/// Returns the duration by which a tick at `now` advances cluster time, and the end of the time
/// that the tick counts. The time up to `base` is already counted. A fraction of a millisecond is
/// left to the next tick.
fn advance(base: Option<Instant>, now: Instant) -> (Duration, Instant) {
    let Some(base) = base else {
        return (Duration::ZERO, now);
    };
    let gone = now.duration_since(base);
    if gone >= STEP {
        return (STEP, now);
    }
    let whole = Duration::from_millis(gone.as_millis() as u64);
    (whole, base + whole)
}

/// Proposes one tick, if this leader may do so now, and returns it once it is applied.
async fn tick(group: &Group, last_own: Option<OwnTick>) -> Option<OwnTick> {
    // A leader whose disk is full cannot take renewals, so it must not advance time.
    group.check_disk_space().ok()?;
    let leader = group.raft.as_leader().ok()?.to_committed_leader_id();
    let key = (leader.term(), *leader.node_id());
    let now = clock::now();
    let (owes_grace, last_applied) = {
        let journal = group.replica.tick_history();
        if !journal.applied_an_entry_of(key) {
            return None;
        }
        (journal.needs_grace(now), journal.last_applied())
    };
    let base = match last_own {
        Some(own) if own.leader == key => Some(own.base()),
        _ => last_applied,
    };
    let (advance, counted_to) = match is_planted(Bug::WallClockAge) {
        true => (by_wall_clock(&group.replica.registry()), now),
        false => advance(base, now),
    };
    let grace_ms = (owes_grace && may_have_aged(&group.replica.registry()))
        .then_some(group.options.recovery_grace.as_millis() as u64);
    if let Some(grace_ms) = grace_ms {
        tracing::info!(
            target: log_target::TICKER,
            grace_ms,
            "the cluster could not accept renewals for a while: nothing expires until the \
             grace period is over"
        );
    }
    let command = Command::Tick {
        advance_ms: advance.as_millis() as u64,
        grace_ms,
    };
    let proposal = Proposal(Arc::new(group.batch(vec![command])));
    let (responder, result) = ProgressResponder::complete_only();
    let write = group
        .raft
        .write(proposal)
        .with_leader(leader)
        .responder(responder);
    write.await.ok()?;
    tokio::select! {
        result = result => log_expired(&result.ok()?.ok()?.data.0),
        () = group.lost_leadership() => return None,
    }
    group.replica.tick_history().decided(now);
    Some(OwnTick {
        leader: key,
        advance,
        counted_to,
        applied: clock::now(),
    })
}

/// Returns the advance up to the leader's wall clock: a deliberately planted bug.
fn by_wall_clock(registry: &Registry) -> Duration {
    Duration::from_millis(clock::wall_ms().saturating_sub(registry.cluster_ms()))
}

/// Returns whether any stored announcement could expire before its client had time to renew it.
///
/// Before cluster time has advanced at all, every stored announcement still has its full max-age,
/// so a new group needs no grace period.
fn may_have_aged(registry: &Registry) -> bool {
    !registry.is_empty() && registry.cluster_ms() > 0
}

/// Logs each node that a tick expired.
fn log_expired(outcomes: &[Outcome]) {
    for outcome in outcomes {
        if let Outcome::Expired(nodes) = outcome {
            for node in nodes {
                tracing::info!(
                    target: log_target::TICKER,
                    node, "expired: no renewal within max-age"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A tick and its successor may count time that passed before the tick was applied, but
    /// together at most one [`STEP`] of that time, however long the tick took to commit. If the
    /// commit took no longer than usual, no time is lost.
    #[test]
    fn earlier_time_is_one_step_at_most() {
        let counted_to = clock::now();
        for advance in (0..=1_000).step_by(100).map(ms) {
            for waited in (0..=3_000).step_by(100).map(ms) {
                let own = OwnTick {
                    leader: (1, 1),
                    advance,
                    counted_to,
                    applied: counted_to + waited,
                };
                let charged = advance + own.applied.duration_since(own.base());
                assert!(charged <= STEP, "{advance:?} and {waited:?}: {charged:?}");
                if advance + waited <= STEP {
                    assert_eq!(own.base(), counted_to, "{advance:?} and {waited:?}");
                }
            }
        }
    }

    /// A fraction of a millisecond is not dropped but counted by the next tick. Over ten minutes
    /// the fractions would amount to about half a second.
    #[test]
    fn no_part_of_a_millisecond_is_lost() {
        let began = clock::now();
        let (mut base, mut moved) = (began, Duration::ZERO);
        for tick in 1..=1_200 {
            let (advance, counted_to) =
                advance(Some(base), began + tick * Duration::from_micros(500_700));
            base = counted_to;
            moved += advance;
        }
        assert_eq!(moved.as_millis(), 1_200 * 5_007 / 10);
    }

    /// A tick advances time by at most one step. Time beyond that is dropped.
    #[test]
    fn a_long_gap_is_one_step() {
        let began = clock::now();
        assert_eq!(
            advance(Some(began), began + ms(5_000)),
            (STEP, began + ms(5_000))
        );
        assert_eq!(advance(None, began), (Duration::ZERO, began));
    }
}
