//! Moves cluster time, on the leader (docs/decisions/0003).

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

/// Proposes ticks while this node leads, until the group is gone.
///
/// - one tick is in flight at a time, proposed on condition of this leadership and never forwarded.
/// - none before an entry of this leadership is applied: an older tick may still come with the log.
/// - each moves time by what has gone since the last applied one was proposed, or was applied if another proposed it;
///   after one that took long to be committed, by less (see [`OwnTick::base`]).
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
    /// In another leadership ticks of others may have come after it.
    leader: LeaderKey,
    advance: Duration,
    /// Up to when it counted.
    counted_to: Instant,
    applied: Instant,
}

impl OwnTick {
    /// From when on the next tick counts.
    ///
    /// What stands before this tick in the log was committed before this tick was applied, perhaps only just, and its deadline
    /// allows for one step of time from before. What this tick counted and what the next one counts from before that moment
    /// are together at most that step, however long this one waited for a majority.
    fn base(&self) -> Instant {
        let allowed = STEP.saturating_sub(self.advance);
        let waited = self.applied.duration_since(self.counted_to);
        self.applied - waited.min(allowed)
    }
}

/// How far a tick moves time since `base`, and up to when that counts: less than a millisecond is left to the next one.
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

async fn tick(group: &Group, last_own: Option<OwnTick>) -> Option<OwnTick> {
    // Who cannot take renewals must not let time run.
    group.may_propose().ok()?;
    let leader = group.raft.as_leader().ok()?.to_committed_leader_id();
    let key = (leader.term(), *leader.node_id());
    let now = clock::now();
    let (owes_grace, last_applied) = {
        let journal = group.replica.journal();
        if !journal.applied_an_entry_of(key) {
            return None;
        }
        (journal.owes_grace(now), journal.last_applied())
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
            "the cluster could not take renewals for a while: nothing expires before the grace is over"
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
    group.replica.journal().judged(now);
    Some(OwnTick {
        leader: key,
        advance,
        counted_to,
        applied: clock::now(),
    })
}

/// An error that is planted: cluster time is what the wall clock of the leader says.
fn by_wall_clock(registry: &Registry) -> Duration {
    Duration::from_millis(clock::wall_ms().saturating_sub(registry.cluster_ms()))
}

/// Whether anything held could expire before its clients had their time. Before time has moved at
/// all, everything held still has its whole max-age, so that a fresh group owes nobody a grace.
fn may_have_aged(registry: &Registry) -> bool {
    !registry.is_empty() && registry.cluster_ms() > 0
}

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

    /// However long a tick takes to be committed, what is before it in the log is charged one step of earlier time at most; and
    /// as long as it takes no longer than usual no time is lost.
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

    /// Parts of milliseconds add up: over ten minutes they would be half a second.
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

    /// A tick moves time by no more than a step, and what is over it is gone.
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
