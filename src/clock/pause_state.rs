//! The state of the pause detector: two local clocks, and cluster time as ticks count it.

use super::system::Instant;
use std::time::Duration;

/// Maximum time since the last check. After a longer time, the process counts as paused. A request
/// that is taken from a socket buffer after such a time may have waited there throughout, and must
/// not overwrite a newer write.
const STOPPED_AFTER: Duration = Duration::from_secs(1);

/// Maximum duration by which cluster time may run ahead of the clocks of this process.
///
/// Cluster time and these clocks are compared from the last confirmed read on
/// ([`PauseState::confirm`]). After that read, cluster time can gain two steps that the clocks do
/// not see. A step, which is one second, is the most by which a tick advances cluster time
/// (`raft::apply::tick_timing`). The first tick after the read may count a whole step of time from
/// before the read. If the leader's clock is set forward after the read, cluster time may gain the
/// second step. The duration allows for two steps and a margin of 500 ms.
const AHEAD_MAX: Duration = Duration::from_millis(2_500);

/// Like [`AHEAD_MAX`], for the bound on cluster time that a single write carries. The value allows
/// for only one step. If a write is rejected by mistake, the only consequence is a retry by its
/// client.
pub(crate) const WRITE_AHEAD_MAX: Duration = Duration::from_millis(1_250);

/// Divisor that gives the maximum drift: another machine's clock may run faster than the clocks of
/// this process by 1/100.
const DRIFT: u32 = 100;

/// The readings of both clocks of this machine at one moment.
///
/// The monotonic clock stops while the machine is suspended. The clock that counts from boot
/// continues. In a paused virtual machine either clock may stop.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub(super) monotonic: Instant,
    pub(super) since_boot: Duration,
}

impl Moment {
    /// Returns the time elapsed since an earlier moment, according to the clock that advanced
    /// further.
    fn since(&self, earlier: &Moment) -> Duration {
        let monotonic = self.monotonic.duration_since(earlier.monotonic);
        monotonic.max(self.since_boot.saturating_sub(earlier.since_boot))
    }

    fn is_after(&self, other: &Moment) -> bool {
        self.monotonic > other.monotonic
    }
}

/// An upper bound of cluster time at a moment.
#[derive(Debug, Clone, Copy)]
struct Reference {
    at: Moment,
    cluster_ms: u64,
}

impl Reference {
    /// Returns the highest value that cluster time can have at a later moment, provided that this
    /// process ran without a pause in between.
    fn highest_ms(&self, at: &Moment, ahead: Duration) -> u64 {
        let own = at.since(&self.at);
        let most = own + own / DRIFT + ahead;
        self.cluster_ms.saturating_add(most.as_millis() as u64)
    }
}

/// The state behind a [`super::PauseDetector`], with the time passed in as arguments.
#[derive(Debug)]
pub(super) struct PauseState {
    /// The moment of the last check.
    last: Moment,
    /// Number of pauses detected so far.
    epoch: u64,
    reference: Option<Reference>,
    /// The moment at which cluster time was found to be ahead. Cleared once a read that began later
    /// is confirmed.
    behind_since: Option<Moment>,
}

impl PauseState {
    pub(super) fn new(at: Moment) -> PauseState {
        PauseState {
            last: at,
            epoch: 0,
            reference: None,
            behind_since: None,
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Checks whether the last check is too long ago. If so, the process was paused, and a new
    /// epoch begins.
    pub(super) fn check(&mut self, at: Moment) {
        if at.since(&self.last) > STOPPED_AFTER {
            self.epoch += 1;
        }
        self.last = at;
    }

    /// Returns whether the process ran since `opened_epoch` according to its own clocks.
    pub(super) fn runs(&self, opened_epoch: u64, at: Moment) -> bool {
        self.epoch == opened_epoch && at.since(&self.last) <= STOPPED_AFTER
    }

    /// Returns whether [`PauseState::runs`] holds, and the process has learned everything that
    /// happened during a pause that cluster time revealed.
    pub(super) fn is_current(&self, opened_epoch: u64, at: Moment) -> bool {
        self.behind_since.is_none() && self.runs(opened_epoch, at)
    }

    /// Records that cluster time is at least `cluster_ms` now. If it is ahead of the bound that the
    /// local clocks give, the clocks were stopped, and a new epoch begins.
    pub(super) fn observe(&mut self, cluster_ms: u64, at: Moment) {
        let is_ahead = self
            .reference
            .is_some_and(|reference| cluster_ms > reference.highest_ms(&at, AHEAD_MAX));
        if is_ahead {
            self.epoch += 1;
            self.reference = None;
            self.behind_since = Some(at);
        }
    }

    /// Records that a read that began at `began` is confirmed and applied, and that cluster time is
    /// now `cluster_ms`. Cluster time was therefore at most `cluster_ms` at `began`.
    pub(super) fn confirm(&mut self, began: Moment, cluster_ms: u64, at: Moment) {
        self.observe(cluster_ms, at);
        if let Some(since) = &self.behind_since
            && !began.is_after(since)
        {
            return;
        }
        self.behind_since = None;
        self.reference = Some(Reference {
            at: began,
            cluster_ms,
        });
    }

    /// Returns the highest value that cluster time can have once a duration of `later` has passed
    /// from `at`. Returns `None` before the first confirmed read, and zero while it is unknown what
    /// happened during a pause.
    pub(super) fn highest_cluster_ms(&self, later: Duration, at: Moment) -> Option<u64> {
        if self.behind_since.is_some() {
            return Some(0);
        }
        let highest_ms = self.reference?.highest_ms(&at, WRITE_AHEAD_MAX);
        Some(highest_ms.saturating_add(later.as_millis() as u64))
    }

    /// Moves the last check into the past, as if the process had been paused since.
    #[cfg(test)]
    pub(super) fn pretend_stopped(&mut self, time: Duration) {
        self.last.monotonic -= time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    const S: Duration = Duration::from_secs(1);
    const MS: Duration = Duration::from_millis(1);
    /// Time between two ticks, in milliseconds.
    const TICK_MS: u64 = 500;

    fn start() -> Moment {
        Moment {
            monotonic: now(),
            since_boot: 1_000 * S,
        }
    }

    fn later(start: Moment, monotonic: Duration, since_boot: Duration) -> Moment {
        Moment {
            monotonic: start.monotonic + monotonic,
            since_boot: start.since_boot + since_boot,
        }
    }

    fn both(start: Moment, by: Duration) -> Moment {
        later(start, by, by)
    }

    /// A connection that was opened before a pause is not current in any later epoch. A connection
    /// that is opened after the pause is current.
    #[test]
    fn a_stop_ends_the_epoch() {
        let start = start();
        let mut state = PauseState::new(start);
        assert!(state.is_current(0, both(start, S)));

        let resumed = both(start, 60 * S);
        assert!(
            !state.is_current(0, resumed),
            "there was no check yet: nothing is current"
        );
        state.check(resumed);
        assert!(!state.is_current(0, resumed), "opened before the stop");
        assert!(state.is_current(1, both(resumed, S)), "opened after it");
    }

    /// A pause is detected if either of the two clocks kept running.
    #[test]
    fn either_clock_tells_of_a_stop() {
        let start = start();
        for resumed in [later(start, 60 * S, MS), later(start, MS, 60 * S)] {
            let mut state = PauseState::new(start);
            assert!(!state.is_current(0, resumed), "{resumed:?}");
            state.check(resumed);
            assert_eq!(state.epoch(), 1, "{resumed:?}");
        }
    }

    /// A periodic check that is late by less than a second does not count as a pause, regardless of
    /// how often this happens.
    #[test]
    fn a_busy_machine_is_not_a_stop() {
        let start = start();
        let mut state = PauseState::new(start);
        for n in 1..100 {
            state.check(both(start, n * S));
        }
        assert!(state.is_current(0, both(start, 100 * S)));
        assert!(!state.is_current(0, both(start, 100 * S + MS)));
    }

    /// A machine whose clocks both stopped detects the pause by the ticks that it missed. It
    /// rejects everything until it knows what happened during the pause, and continues in a new
    /// epoch.
    #[test]
    fn cluster_time_tells_of_a_stop_that_no_clock_saw() {
        let start = start();
        let mut state = PauseState::new(start);
        state.confirm(start, 10_000, start);
        let read_before = both(start, MS);
        let resumed = both(start, 2 * MS);
        for missed in 1..=16 {
            state.observe(10_000 + missed * TICK_MS, resumed);
        }
        assert_eq!(state.epoch(), 1);
        assert!(!state.runs(0, resumed), "opened before the stop");
        assert!(
            !state.is_current(1, resumed),
            "it may lack what came meanwhile"
        );
        assert_eq!(state.highest_cluster_ms(S, resumed), Some(0));
        state.confirm(read_before, 18_000, both(resumed, MS));
        assert!(
            !state.is_current(1, both(resumed, MS)),
            "the read began before the stop"
        );
        state.confirm(both(resumed, MS), 18_000, both(resumed, 2 * MS));
        assert!(state.is_current(1, both(resumed, 2 * MS)));
        assert_eq!(state.epoch(), 1);
    }

    /// A write is received after a pause, before the missed ticks are applied. Its upper bound on
    /// cluster time comes from clocks that stood still during the pause, so it is too low. The
    /// write is rejected once the ticks are applied.
    #[test]
    fn a_write_read_at_the_wake_ends_with_what_its_taker_knew() {
        let start = start();
        let mut state = PauseState::new(start);
        assert_eq!(state.highest_cluster_ms(S, start), None);
        state.confirm(start, 10_000, start);
        let resumed = both(start, 100 * MS);
        let until = state.highest_cluster_ms(2 * S, resumed);
        assert_eq!(until, Some(10_000 + 101 + 1_250 + 2_000));
    }

    /// While the clocks of this process run, no jump in cluster time counts as a pause. The cause
    /// of the jump may be a partition, a replay, a snapshot, a stalled cluster or a leader with a
    /// fast clock.
    #[test]
    fn a_process_whose_clocks_ran_is_not_accused() {
        let start = start();
        let ahead = |state: &mut PauseState, cluster_ms, at| {
            state.observe(cluster_ms, at);
            state.epoch() > 0
        };
        let confirmed = || {
            let mut state = PauseState::new(start);
            state.confirm(start, 10_000, start);
            state
        };

        // A replay, before the first confirmed read.
        assert!(!ahead(&mut PauseState::new(start), 90_000, both(start, MS)));
        // A partition of one minute, followed by all the ticks at once, or by a snapshot.
        assert!(!ahead(&mut confirmed(), 71_000, both(start, 60 * S)));
        // A cluster that was stalled for one minute; its first tick counts a whole step.
        let mut state = confirmed();
        state.confirm(both(start, 60 * S), 10_000, both(start, 60 * S));
        assert!(!ahead(&mut state, 11_000, both(start, 60 * S + MS)));
        // A leader whose clock is set forward at the time of a leader change.
        assert!(!ahead(&mut confirmed(), 12_000, both(start, MS)));
        // A leader whose clock runs at twice the correct rate.
        let mut state = confirmed();
        for n in 1..1_000u32 {
            let at = both(start, n * S / 2);
            state.confirm(at, 10_000 + u64::from(n) * 1_000, at);
        }
        assert_eq!(state.epoch(), 0);
    }
}
