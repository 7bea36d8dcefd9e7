//! Records when this node applied ticks, and decides whether the next tick carries a grace period.
//! Cluster time stops during a grace period so that clients can renew (docs/decisions/0003).

use super::tick_timing::TICK_INTERVAL;
use crate::clock::Instant;
use crate::planted::{Bug, is_planted};
use crate::storage::types::RaftId;
use std::time::Duration;

/// A leader, by term and Raft id. The term alone is not enough, because openraft may have two
/// leaders in one term.
pub(crate) type LeaderKey = (u64, RaftId);

/// Detector of gaps, which are long times between two ticks as this node applied them. The next
/// tick after a gap must carry a grace period.
///
/// - Only ticks of the leader `current` count. Replayed ticks and ticks of an earlier leader do not
///   count.
/// - A gap is measured from the last tick that counted. A tick that was proposed before the gap and
///   is committed after it therefore does not hide the gap.
/// - The current leader knows best when it proposed its ticks. If it proposes a tick without a
///   grace period after this node saw a gap, this node forgets the gap.
/// - A tick is known to have been proposed after a gap only if it arrives some time after this node
///   saw the gap, and at a leader's normal pace. Several ticks from before an outage may be
///   committed in one burst after the outage, and prove nothing.
pub(crate) struct TickHistory {
    recovery_gap: Duration,
    current: Option<LeaderKey>,
    /// The last tick that counted, as its leader and the time at which it was applied. Gaps are
    /// measured from this time.
    last: Option<(LeaderKey, Instant)>,
    /// Time at which cluster time last moved, by a tick of any leader or by an installed snapshot.
    /// Movements before this process first followed a leader do not count.
    last_any: Option<Instant>,
    /// The leader that proposed the last applied entry.
    last_entry_of: Option<LeaderKey>,
    /// Time at which this node saw a gap for which no tick has carried a grace period yet.
    owed_since: Option<Instant>,
}

impl TickHistory {
    pub(crate) fn new(recovery_gap: Duration) -> TickHistory {
        TickHistory {
            recovery_gap,
            current: None,
            last: None,
            last_any: None,
            last_entry_of: None,
            owed_since: None,
        }
    }

    /// Sets the current leader, which may be this node itself. No tick counts before the first
    /// call, so that ticks replayed at start do not count.
    pub(crate) fn follow(&mut self, leader: LeaderKey) {
        self.current = Some(leader);
    }

    /// Records that an entry was applied, whether a tick or not.
    pub(crate) fn saw_entry_of(&mut self, leader: LeaderKey) {
        self.last_entry_of = Some(leader);
    }

    /// Returns whether the last applied entry was proposed by `leader`. If so, no entry of an
    /// earlier leader can follow.
    pub(crate) fn applied_an_entry_of(&self, leader: LeaderKey) -> bool {
        self.last_entry_of == Some(leader)
    }

    /// Records that a tick was applied.
    pub(crate) fn applied(&mut self, leader: LeaderKey, now: Instant, carried_grace: bool) {
        if self.current.is_some() {
            // An older leader's tick moves time too, and the new leader must not count the same
            // time again.
            self.last_any = Some(now);
        }
        if self.current != Some(leader) {
            return;
        }
        if carried_grace || (!self.is_gap(now) && self.shows_no_gap(leader, now)) {
            self.owed_since = None;
        } else if self.is_gap(now) {
            self.owed_since = Some(now);
        }
        self.last = Some((leader, now));
    }

    /// Records that this node has applied its own tick, which it proposed at `at`. This node
    /// decided at that time whether the tick carries a grace period. No grace period is therefore
    /// owed any more for a gap that this node saw by that time.
    pub(crate) fn decided(&mut self, at: Instant) {
        if self.owed_since.is_some_and(|since| since <= at) {
            self.owed_since = None;
        }
    }

    /// Returns whether a tick that is applied now was certainly proposed after the gap that this
    /// node saw. Called only for a tick without a grace period.
    fn shows_no_gap(&self, leader: LeaderKey, now: Instant) -> bool {
        let came_at_pace = self.last.is_some_and(|(last, at)| {
            last == leader && now.duration_since(at) >= TICK_INTERVAL / 2
        });
        let is_settled = self
            .owed_since
            .is_some_and(|since| now.duration_since(since) >= 2 * TICK_INTERVAL);
        came_at_pace && is_settled
    }

    /// Records that a snapshot replaced the applied state. The snapshot may contain ticks that this
    /// node never saw, so cluster time counts as moved now.
    pub(crate) fn installed(&mut self, now: Instant) {
        if self.current.is_some() {
            self.last_any = Some(now);
        }
    }

    /// Returns whether a tick proposed now must carry a grace period (`Command::Tick::grace_ms`).
    /// Cluster time stops during a grace period.
    pub(crate) fn needs_grace(&self, now: Instant) -> bool {
        !is_planted(Bug::NoGrace) && (self.owed_since.is_some() || self.is_gap(now))
    }

    /// Returns the time at which cluster time last moved, from which the next advance is measured.
    pub(crate) fn last_applied(&self) -> Option<Instant> {
        self.last_any
    }

    /// Returns whether the last tick that counted is longer ago than the recovery gap. Returns
    /// `true` if no tick has counted yet.
    fn is_gap(&self, now: Instant) -> bool {
        self.last
            .is_none_or(|(_, last)| now.duration_since(last) > self.recovery_gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const GAP: Duration = Duration::from_secs(5);
    const OLD: LeaderKey = (1, 1);
    const NEW: LeaderKey = (2, 2);

    fn following(leader: LeaderKey) -> (TickHistory, Instant) {
        let mut history = TickHistory::new(GAP);
        history.follow(leader);
        (history, clock::now())
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// A process that has counted no tick owes a grace period, since it cannot know how long the
    /// cluster was down.
    #[test]
    fn a_process_just_started_owes_a_grace() {
        let (history, start) = following(OLD);
        assert!(history.needs_grace(start));
    }

    /// Ticks that are replayed at start, before this node follows a leader, do not count, so the
    /// grace period is still owed.
    #[test]
    fn replay_does_not_count() {
        let mut history = TickHistory::new(GAP);
        let start = clock::now();
        history.applied(OLD, start, false);
        history.applied(OLD, start, true);
        history.follow(OLD);
        assert!(history.needs_grace(start));
    }

    /// A tick that was in flight when the quorum was lost is committed when the quorum returns. The
    /// gap before it is still detected.
    #[test]
    fn a_tick_committed_late_does_not_hide_the_gap() {
        let (mut history, start) = following(OLD);
        history.applied(OLD, start, true);
        history.applied(OLD, start + seconds(60), false);
        assert!(history.needs_grace(start + seconds(60)));
        history.applied(OLD, start + seconds(61), true);
        assert!(!history.needs_grace(start + seconds(61)));
    }

    /// Several ticks from before an outage may be committed after the outage, back to back or with
    /// disk delays between them. The leader proposed all these ticks before the outage, so the gap
    /// is still detected.
    #[test]
    fn ticks_committed_late_do_not_hide_the_gap() {
        for (apart_ms, ticks) in [(0, 20), (1, 20), (100, 20), (200, 20), (400, 3)] {
            let (mut history, start) = following(OLD);
            history.applied(OLD, start, true);
            let mut at = start + seconds(60);
            for tick in 1..=ticks {
                history.applied(OLD, at, false);
                assert!(history.needs_grace(at), "tick {tick}, {apart_ms} ms apart");
                at += Duration::from_millis(apart_ms);
            }
            history.follow(NEW);
            assert!(history.needs_grace(at), "{apart_ms} ms apart");
        }
    }

    /// A leader that has applied its own tick owes no grace period for a gap that it saw before it
    /// proposed the tick. For a gap that it saw after the proposal, it still owes one. A new leader
    /// that sees a gap when it applies its first tick therefore owes no grace period after its
    /// second tick.
    #[test]
    fn a_leader_takes_its_own_word() {
        let (mut history, start) = following(OLD);
        let millisecond = Duration::from_millis(1);
        history.applied(OLD, start + millisecond, false);
        history.decided(start);
        assert!(
            history.needs_grace(start + millisecond),
            "seen after it was proposed"
        );
        let second = start + TICK_INTERVAL;
        history.applied(OLD, second + millisecond, false);
        history.decided(second);
        assert!(!history.needs_grace(second + millisecond));

        let late = second + seconds(60);
        history.applied(OLD, late, false);
        history.decided(second + TICK_INTERVAL);
        assert!(history.needs_grace(late), "proposed before the gap");
    }

    /// A node that was paused while the others ran is the only one to see a gap. Once the node has
    /// applied the leader's next ticks, it owes no grace period for this gap.
    #[test]
    fn a_gap_of_ones_own_is_forgotten() {
        let (mut history, start) = following(OLD);
        history.applied(OLD, start, true);
        let resumed = start + seconds(60);
        for _ in 0..120 {
            history.applied(OLD, resumed, false);
        }
        for half_seconds in 1..=2 {
            assert!(history.needs_grace(resumed));
            history.applied(OLD, resumed + half_seconds * TICK_INTERVAL, false);
        }
        assert!(!history.needs_grace(resumed + 2 * TICK_INTERVAL));
    }

    /// A change of leader does not count as a gap, so repeated elections do not keep dead nodes
    /// from expiring.
    #[test]
    fn a_change_of_leader_is_no_gap() {
        let (mut history, start) = following(OLD);
        history.applied(OLD, start, true);
        history.applied(OLD, start + seconds(1), false);
        history.follow(NEW);
        assert!(!history.needs_grace(start + seconds(3)));
        history.applied(OLD, start + seconds(3), false);
        history.applied(NEW, start + seconds(4), false);
        assert!(!history.needs_grace(start + seconds(4)));
    }

    /// A tick that an earlier leader had in flight moves time. The new leader's first advance is
    /// measured from that tick, so that no time counts twice.
    #[test]
    fn an_older_leaders_tick_is_the_base_of_the_next_advance() {
        let (mut history, start) = following(OLD);
        history.applied(OLD, start, true);
        history.follow(NEW);
        history.applied(OLD, start + seconds(1), false);
        assert_eq!(history.last_applied(), Some(start + seconds(1)));
    }

    /// Ticks contained in a snapshot moved time too, so the next advance is measured from the
    /// installation of the snapshot.
    #[test]
    fn a_snapshot_is_the_base_of_the_next_advance() {
        let (mut history, start) = following(OLD);
        history.applied(OLD, start, true);
        history.installed(start + seconds(2));
        assert_eq!(history.last_applied(), Some(start + seconds(2)));
    }

    /// A restarted follower applies two ticks of the current leader that carry no grace period. The
    /// follower then owes no grace period, because that leader saw no gap.
    #[test]
    fn a_restarted_follower_takes_the_leaders_word() {
        let (mut history, start) = following(OLD);
        history.applied(OLD, start, false);
        assert!(
            history.needs_grace(start),
            "one tick alone says nothing of the gap before it"
        );
        history.applied(OLD, start + seconds(1), false);
        assert!(!history.needs_grace(start + seconds(1)));
    }
}
