//! What tells a process that it stood still: two clocks of its own, and the time of the cluster.

use super::system::Instant;
use std::time::Duration;

/// A beat older than this means that the process was stopped: what it reads now may have waited in
/// a socket for as long, and must not replace a newer write.
const STOPPED_AFTER: Duration = Duration::from_secs(1);

/// How far cluster time may run ahead of the clocks of this process.
///
/// The tick after a moment may count up to one step from before it (one second, `raft::ticker`),
/// and one more step if the leader's clock is set forward meanwhile. The rest is margin.
const AHEAD_MAX: Duration = Duration::from_millis(2_500);

/// As [`AHEAD_MAX`], for one write. Without the second step: if it is refused in error its client
/// sends it again, and nothing else comes of it.
pub(crate) const WRITE_AHEAD_MAX: Duration = Duration::from_millis(1_250);

/// How much faster than the clocks of this process another machine's clock may run: one part in so
/// many.
const DRIFT: u32 = 100;

/// Both clocks of this machine at one moment.
///
/// The monotonic clock stands still in a suspended machine, and the clock since the boot does not.
/// In a paused virtual machine either may stand still.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub(super) monotonic: Instant,
    pub(super) since_boot: Duration,
}

impl Moment {
    /// The time since an earlier moment, by the clock that counted more.
    fn since(&self, earlier: &Moment) -> Duration {
        let monotonic = self.monotonic.duration_since(earlier.monotonic);
        monotonic.max(self.since_boot.saturating_sub(earlier.since_boot))
    }

    fn is_after(&self, other: &Moment) -> bool {
        self.monotonic > other.monotonic
    }
}

/// Cluster time at a moment: it was at most this.
#[derive(Debug, Clone, Copy)]
struct Reference {
    at: Moment,
    cluster_ms: u64,
}

impl Reference {
    /// The most that cluster time can be at a later moment if this process ran all along.
    fn highest_ms(&self, at: &Moment, ahead: Duration) -> u64 {
        let own = at.since(&self.at);
        let most = own + own / DRIFT + ahead;
        self.cluster_ms.saturating_add(most.as_millis() as u64)
    }
}

/// The state behind a [`super::Beat`], with time passed in.
#[derive(Debug)]
pub(super) struct Pulse {
    last: Moment,
    epoch: u64,
    reference: Option<Reference>,
    /// When cluster time was found to be ahead, until a read that began later was confirmed.
    behind_since: Option<Moment>,
}

impl Pulse {
    pub(super) fn new(at: Moment) -> Pulse {
        Pulse {
            last: at,
            epoch: 0,
            reference: None,
            behind_since: None,
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn beat(&mut self, at: Moment) {
        if at.since(&self.last) > STOPPED_AFTER {
            self.epoch += 1;
        }
        self.last = at;
    }

    /// Whether the process ran since `opened_epoch` by its own clocks.
    pub(super) fn runs(&self, opened_epoch: u64, at: Moment) -> bool {
        self.epoch == opened_epoch && at.since(&self.last) <= STOPPED_AFTER
    }

    /// Whether it also knows all that happened while it may have stood still.
    pub(super) fn awake(&self, opened_epoch: u64, at: Moment) -> bool {
        self.behind_since.is_none() && self.runs(opened_epoch, at)
    }

    /// Cluster time is at least this now. If that is more than the clocks allow for, they stood
    /// still.
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

    /// A read that began at `began` is confirmed and applied, and cluster time is this now: so it
    /// was at most this then.
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

    /// The most that cluster time can be this much later; `None` before the first read was
    /// confirmed, and zero while it is not known what happened during a stop.
    pub(super) fn highest_cluster_ms(&self, later: Duration, at: Moment) -> Option<u64> {
        if self.behind_since.is_some() {
            return Some(0);
        }
        let highest_ms = self.reference?.highest_ms(&at, WRITE_AHEAD_MAX);
        Some(highest_ms.saturating_add(later.as_millis() as u64))
    }

    /// Moves the last beat back, as if the process had been stopped since.
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
    /// Between two ticks.
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

    /// A connection opened before a stop is never awake again, and one opened after it is.
    #[test]
    fn a_stop_ends_the_epoch() {
        let start = start();
        let mut pulse = Pulse::new(start);
        assert!(pulse.awake(0, both(start, S)));

        let woken = both(start, 60 * S);
        assert!(
            !pulse.awake(0, woken),
            "the beat has not come round yet: nothing is awake"
        );
        pulse.beat(woken);
        assert!(!pulse.awake(0, woken), "opened before the stop");
        assert!(pulse.awake(1, both(woken, S)), "opened after it");
    }

    /// One clock that ran is enough to know of a stop, whichever it is.
    #[test]
    fn either_clock_tells_of_a_stop() {
        let start = start();
        for woken in [later(start, 60 * S, MS), later(start, MS, 60 * S)] {
            let mut pulse = Pulse::new(start);
            assert!(!pulse.awake(0, woken), "{woken:?}");
            pulse.beat(woken);
            assert_eq!(pulse.epoch(), 1, "{woken:?}");
        }
    }

    /// Beats that come late by less than a second are no stop, however many they are.
    #[test]
    fn a_busy_machine_is_not_a_stop() {
        let start = start();
        let mut pulse = Pulse::new(start);
        for n in 1..100 {
            pulse.beat(both(start, n * S));
        }
        assert!(pulse.awake(0, both(start, 100 * S)));
        assert!(!pulse.awake(0, both(start, 100 * S + MS)));
    }

    /// A machine on which both clocks stood still learns of it from the ticks that it missed,
    /// refuses everything until it knows what happened meanwhile, and goes on in a new epoch.
    #[test]
    fn cluster_time_tells_of_a_stop_that_no_clock_saw() {
        let start = start();
        let mut pulse = Pulse::new(start);
        pulse.confirm(start, 10_000, start);
        let read_before = both(start, MS);
        let woken = both(start, 2 * MS);
        for missed in 1..=16 {
            pulse.observe(10_000 + missed * TICK_MS, woken);
        }
        assert_eq!(pulse.epoch(), 1);
        assert!(!pulse.runs(0, woken), "opened before the stop");
        assert!(!pulse.awake(1, woken), "it may lack what came meanwhile");
        assert_eq!(pulse.highest_cluster_ms(S, woken), Some(0));
        pulse.confirm(read_before, 18_000, both(woken, MS));
        assert!(
            !pulse.awake(1, both(woken, MS)),
            "the read began before the stop"
        );
        pulse.confirm(both(woken, MS), 18_000, both(woken, 2 * MS));
        assert!(pulse.awake(1, both(woken, 2 * MS)));
        assert_eq!(pulse.epoch(), 1);
    }

    /// A write that is read before the missed ticks are applied cannot outlive them.
    #[test]
    fn a_write_read_at_the_wake_ends_with_what_its_taker_knew() {
        let start = start();
        let mut pulse = Pulse::new(start);
        assert_eq!(pulse.highest_cluster_ms(S, start), None);
        pulse.confirm(start, 10_000, start);
        let woken = both(start, 100 * MS);
        let until = pulse.highest_cluster_ms(2 * S, woken);
        assert_eq!(until, Some(10_000 + 101 + 1_250 + 2_000));
    }

    /// Whatever else lets cluster time jump accuses nobody whose clocks ran: a partition, a replay,
    /// a snapshot, a cluster that stood still, a leader with a fast clock.
    #[test]
    fn a_process_whose_clocks_ran_is_not_accused() {
        let start = start();
        let ahead = |pulse: &mut Pulse, cluster_ms, at| {
            pulse.observe(cluster_ms, at);
            pulse.epoch() > 0
        };
        let confirmed = || {
            let mut pulse = Pulse::new(start);
            pulse.confirm(start, 10_000, start);
            pulse
        };

        // Replayed, before anything was confirmed.
        assert!(!ahead(&mut Pulse::new(start), 90_000, both(start, MS)));
        // Cut off for a minute, then all the ticks at once, or a snapshot.
        assert!(!ahead(&mut confirmed(), 71_000, both(start, 60 * S)));
        // The cluster stood still for a minute, and its first tick counts a whole step.
        let mut pulse = confirmed();
        pulse.confirm(both(start, 60 * S), 10_000, both(start, 60 * S));
        assert!(!ahead(&mut pulse, 11_000, both(start, 60 * S + MS)));
        // A leader whose clock is set forward, beside a change of leader.
        assert!(!ahead(&mut confirmed(), 12_000, both(start, MS)));
        // A leader whose clock runs twice as fast as it should.
        let mut pulse = confirmed();
        for n in 1..1_000u32 {
            let at = both(start, n * S / 2);
            pulse.confirm(at, 10_000 + u64::from(n) * 1_000, at);
        }
        assert_eq!(pulse.epoch(), 0);
    }
}
