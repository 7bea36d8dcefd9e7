//! Detection of process pauses. Data that a process reads after a pause may be stale
//! (docs/decisions/0004).

use super::pause_state::{Moment, Pulse};
use super::system::{now, since_boot};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// Time between two beats. Ten beats fit into the threshold for a pause (one second), so that a
/// single late beat decides nothing.
const INTERVAL: Duration = Duration::from_millis(100);

/// A periodic beat by which the process detects that it was paused and has just resumed.
///
/// A paused process (SIGSTOP, a paused virtual machine, a stalled runtime) finds requests in its
/// socket buffers that look new but are old. Before a write is accepted, the caller passes the
/// epoch in which the connection was opened to [`Beat::awake`], and rejects the write if the result
/// is `false`.
///
/// - The epoch increases each time a pause is detected, and at no other time.
/// - Between the end of a pause and the beat that detects it, `awake` is `false` for every
///   connection.
/// - The beat is a task, not a thread: a runtime that does not schedule its tasks counts as paused.
/// - Two clocks are read, since a paused machine may stop either of them. If both stopped, cluster
///   time reveals the pause, because it advanced in the meantime. `awake` is then `false` until a
///   read that began after the pause is confirmed, so that the process has learned everything that
///   happened during the pause.
///
/// The beat is the second line of defense. Whether a write may overwrite another one is decided by
/// log indexes and cluster time ([`crate::registry::Arrival`]). The beat closes connections,
/// rejects old requests earlier, and provides the upper bound on cluster time that a write carries.
#[derive(Clone)]
pub struct Beat(Arc<Shared>);

struct Shared {
    pulse: Mutex<Pulse>,
    epoch: watch::Sender<u64>,
    since_boot: fn() -> Duration,
}

impl Beat {
    /// Starts the beat on the current tokio runtime. It runs until the last clone is dropped.
    pub fn start() -> Beat {
        Beat::start_with(since_boot)
    }

    /// Starts a beat that uses only tokio's clock, which a simulation controls.
    #[cfg(any(test, feature = "sim", feature = "fuzzing"))]
    pub fn start_simulated() -> Beat {
        Beat::start_with(|| Duration::ZERO)
    }

    fn start_with(since_boot: fn() -> Duration) -> Beat {
        let at = Moment {
            monotonic: now(),
            since_boot: since_boot(),
        };
        let beat = Beat(Arc::new(Shared {
            pulse: Mutex::new(Pulse::new(at)),
            epoch: watch::Sender::new(0),
            since_boot,
        }));
        tokio::spawn(keep(Arc::downgrade(&beat.0)));
        beat
    }

    /// Returns the number of pauses detected so far. Store it when a connection is opened.
    pub fn epoch(&self) -> u64 {
        self.with_pulse(|pulse| pulse.epoch())
    }

    /// Returns whether data read now from a connection that was opened in `opened_epoch` can be
    /// treated as new.
    pub fn awake(&self, opened_epoch: u64) -> bool {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.awake(opened_epoch, at))
    }

    /// Returns whether the process ran without a pause since `opened_epoch`. Used for connections
    /// from peers: their messages carry the data that the process missed during a pause, so they
    /// are served before [`Beat::awake`] is `true` again.
    pub fn runs(&self, opened_epoch: u64) -> bool {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.runs(opened_epoch, at))
    }

    /// Returns a receiver that changes after each detected pause, so that connections opened before
    /// it can be closed.
    pub fn wakes(&self) -> watch::Receiver<u64> {
        self.0.epoch.subscribe()
    }

    /// Reads the clocks. Pass the result to [`Beat::confirm_cluster_time`] later.
    pub fn moment(&self) -> Moment {
        Moment {
            monotonic: now(),
            since_boot: (self.0.since_boot)(),
        }
    }

    /// Records that cluster time has reached `cluster_ms`. If it is ahead of the bound that this
    /// machine's clocks give, the process was paused and its epoch ends.
    pub fn observe_cluster_time(&self, cluster_ms: u64) {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.observe(cluster_ms, at));
        self.tell_wake();
    }

    /// Records that a linearizable read that began at `began` is complete and that cluster time is
    /// now `cluster_ms`. Later cluster times are checked against this reference.
    pub fn confirm_cluster_time(&self, began: Moment, cluster_ms: u64) {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.confirm(began, cluster_ms, at));
        self.tell_wake();
    }

    /// Returns the highest value that cluster time can have after `later`, provided that this
    /// process has been running. Returns `None` before the first confirmed read, and zero while the
    /// process has yet to learn what happened during a pause.
    pub fn highest_cluster_ms(&self, later: Duration) -> Option<u64> {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.highest_cluster_ms(later, at))
    }

    /// Simulates a pause of duration `time` that ends now.
    #[cfg(test)]
    pub(crate) fn pretend_stopped(&self, time: Duration) {
        self.with_pulse(|pulse| pulse.pretend_stopped(time));
    }

    fn with_pulse<T>(&self, f: impl FnOnce(&mut Pulse) -> T) -> T {
        f(&mut self.0.pulse.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn beat(&self) {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.beat(at));
        self.tell_wake();
    }

    fn tell_wake(&self) {
        let epoch = self.epoch();
        let woke = self.0.epoch.send_if_modified(|told| {
            let is_new = epoch > *told;
            *told = epoch.max(*told);
            is_new
        });
        if woke {
            tracing::warn!(
                target: "quorate::clock::beat",
                "this process was paused for over a second: \
                 closing the connections that were opened before"
            );
        }
    }
}

async fn keep(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        Beat(shared).beat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    /// The task beats on its own, detects a jump of the monotonic clock, and notifies the receivers
    /// of [`Beat::wakes`].
    #[tokio::test(start_paused = true)]
    async fn the_task_notices_a_stop() {
        let beat = Beat::start_simulated();
        let mut wakes = beat.wakes();
        let opened = beat.epoch();
        tokio::time::sleep(10 * S).await;
        assert!(beat.awake(opened));

        tokio::time::advance(5 * S).await;
        assert!(!beat.awake(opened));
        let woken = tokio::time::timeout(60 * S, wakes.changed()).await;
        woken.expect("it is told").expect("the beat goes on");
        assert!(!beat.awake(opened));
        assert!(beat.awake(beat.epoch()));
    }

    /// A jump of cluster time is reported as a wake, and peers are served before clients are.
    #[tokio::test(start_paused = true)]
    async fn a_jump_of_cluster_time_is_a_wake() {
        let beat = Beat::start_simulated();
        let mut wakes = beat.wakes();
        beat.confirm_cluster_time(beat.moment(), 1_000);
        tokio::time::sleep(S).await;
        beat.observe_cluster_time(2_500);
        assert_eq!(beat.epoch(), 0);

        beat.observe_cluster_time(9_000);
        let woken = tokio::time::timeout(60 * S, wakes.changed()).await;
        woken.expect("it is told").expect("the beat goes on");
        assert!(!beat.awake(1) && beat.runs(1) && !beat.runs(0));
        tokio::time::sleep(S).await;
        beat.confirm_cluster_time(beat.moment(), 10_000);
        assert!(beat.awake(1));
    }

    /// Both clocks of the machine are read, and both advance.
    #[tokio::test]
    async fn both_clocks_run() {
        let beat = Beat::start();
        let first = beat.moment();
        let mut last = first;
        while last.monotonic == first.monotonic || last.since_boot == first.since_boot {
            last = beat.moment();
        }
        assert!(last.monotonic > first.monotonic && last.since_boot > first.since_boot);
    }
}
