//! Detection of process pauses. Data that a process reads from a connection after a pause may be
//! stale (docs/decisions/0004).

use super::pause_state::{Moment, PauseState};
use super::system::{now, since_boot};
use crate::locks::lock;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// Time between two checks. Ten checks fit into the threshold for a pause (one second), so that a
/// single late check decides nothing.
const INTERVAL: Duration = Duration::from_millis(100);

/// A periodic check that detects that the process was paused and has resumed.
///
/// After a pause (SIGSTOP, a paused virtual machine, a stalled runtime), the socket buffers hold
/// requests that look new but are old. Before a caller accepts a write, it passes the epoch in
/// which the connection was opened to [`PauseDetector::is_current`]. If the result is `false`, the
/// caller rejects the write.
///
/// - The epoch is the number of pauses detected so far.
/// - Between the end of a pause and the next check, `is_current` is `false` for every connection.
/// - The checks run in a task, not in a thread, so a runtime that does not schedule its tasks
///   counts as paused.
/// - Two clocks are read, because a pause of the machine may stop either clock. If both clocks
///   stopped, cluster time reveals the pause, because the group's ticks advanced cluster time
///   during the pause.
/// - When cluster time reveals a pause, the process does not know what happened during the pause.
///   `is_current` is therefore `false` until a read that began after the discovery is confirmed.
///
/// Cluster time here means the time that ticks have counted
/// ([`Registry::ticked_ms`](crate::registry::Registry::ticked_ms)). This time does not stop during
/// a grace period.
///
/// The detector is the second line of defense. In the first line, log indexes and cluster time
/// decide whether a write may overwrite another write ([`crate::registry::Arrival`]). The detector
/// closes connections, rejects old requests earlier, and provides the upper bound on cluster time
/// that a write carries.
#[derive(Clone)]
pub struct PauseDetector(Arc<PauseShared>);

struct PauseShared {
    state: Mutex<PauseState>,
    epoch: watch::Sender<u64>,
    since_boot: fn() -> Duration,
}

impl PauseDetector {
    /// Starts a detector on the current tokio runtime. It runs until the last clone is dropped.
    pub fn start() -> PauseDetector {
        PauseDetector::start_with(since_boot)
    }

    /// Starts a detector that uses only tokio's clock, which a simulation controls.
    #[cfg(any(test, feature = "sim", feature = "fuzzing"))]
    pub fn start_simulated() -> PauseDetector {
        PauseDetector::start_with(|| Duration::ZERO)
    }

    fn start_with(since_boot: fn() -> Duration) -> PauseDetector {
        let at = Moment {
            monotonic: now(),
            since_boot: since_boot(),
        };
        let pause_detector = PauseDetector(Arc::new(PauseShared {
            state: Mutex::new(PauseState::new(at)),
            epoch: watch::Sender::new(0),
            since_boot,
        }));
        tokio::spawn(keep(Arc::downgrade(&pause_detector.0)));
        pause_detector
    }

    /// Returns the number of pauses detected so far, to be stored when a connection is opened.
    pub fn epoch(&self) -> u64 {
        self.with_state(|state| state.epoch())
    }

    /// Returns whether data that is taken now from a connection that was opened in `opened_epoch`
    /// can be treated as new: the process was not paused since the connection was opened, and has
    /// learned what happened during earlier pauses.
    pub fn is_current(&self, opened_epoch: u64) -> bool {
        let at = self.moment();
        self.with_state(|state| state.is_current(opened_epoch, at))
    }

    /// Returns whether the process ran without a pause since `opened_epoch`, according to its own
    /// clocks. Used for connections from peers. Messages of peers carry the data that the process
    /// missed during a pause, so peers are served before [`PauseDetector::is_current`] is `true`
    /// again.
    pub fn runs(&self, opened_epoch: u64) -> bool {
        let at = self.moment();
        self.with_state(|state| state.runs(opened_epoch, at))
    }

    /// Returns a receiver that is notified after each detected pause, so that connections opened
    /// before the pause can be closed.
    pub fn resumes(&self) -> watch::Receiver<u64> {
        self.0.epoch.subscribe()
    }

    /// Reads the clocks. Pass the result to [`PauseDetector::confirm_cluster_time`] later.
    pub fn moment(&self) -> Moment {
        Moment {
            monotonic: now(),
            since_boot: (self.0.since_boot)(),
        }
    }

    /// Records that cluster time has reached `cluster_ms`. If cluster time is ahead of the bound
    /// that this machine's clocks give, the process was paused and a new epoch begins.
    pub fn observe_cluster_time(&self, cluster_ms: u64) {
        let at = self.moment();
        self.with_state(|state| state.observe(cluster_ms, at));
        self.notify_resumed();
    }

    /// Records that a linearizable read that began at `began` is complete and that cluster time is
    /// now `cluster_ms`. Later cluster times are checked against this reference.
    pub fn confirm_cluster_time(&self, began: Moment, cluster_ms: u64) {
        let at = self.moment();
        self.with_state(|state| state.confirm(began, cluster_ms, at));
        self.notify_resumed();
    }

    /// Returns the highest value that cluster time can have after a duration of `later` from now.
    /// The value is correct only if this process has been running without a pause.
    ///
    /// Returns `None` before the first confirmed read ([`PauseDetector::confirm_cluster_time`]),
    /// and zero while the process does not know what happened during a pause.
    pub fn highest_cluster_ms(&self, later: Duration) -> Option<u64> {
        let at = self.moment();
        self.with_state(|state| state.highest_cluster_ms(later, at))
    }

    /// Simulates a pause of duration `time` that ends now.
    #[cfg(test)]
    pub(crate) fn pretend_stopped(&self, time: Duration) {
        self.with_state(|state| state.pretend_stopped(time));
    }

    fn with_state<T>(&self, f: impl FnOnce(&mut PauseState) -> T) -> T {
        f(&mut lock(&self.0.state))
    }

    /// Checks whether the process was paused since the last check.
    fn check(&self) {
        let at = self.moment();
        self.with_state(|state| state.check(at));
        self.notify_resumed();
    }

    /// Notifies the receivers of [`PauseDetector::resumes`] if a new epoch has begun.
    fn notify_resumed(&self) {
        let epoch = self.epoch();
        let has_resumed = self.0.epoch.send_if_modified(|notified| {
            let is_new = epoch > *notified;
            *notified = epoch.max(*notified);
            is_new
        });
        if has_resumed {
            tracing::warn!(
                target: "quorate::clock::beat",
                "this process was paused for over a second: \
                 closing the connections that were opened before"
            );
        }
    }
}

/// Runs the periodic check until the last clone of the detector is dropped.
async fn keep(shared: Weak<PauseShared>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        PauseDetector(shared).check();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    /// The task runs on its own, detects a jump of the monotonic clock, and notifies the receivers
    /// of [`PauseDetector::resumes`].
    #[tokio::test(start_paused = true)]
    async fn the_task_notices_a_stop() {
        let pause_detector = PauseDetector::start_simulated();
        let mut resumes = pause_detector.resumes();
        let opened = pause_detector.epoch();
        tokio::time::sleep(10 * S).await;
        assert!(pause_detector.is_current(opened));

        tokio::time::advance(5 * S).await;
        assert!(!pause_detector.is_current(opened));
        let resumed = tokio::time::timeout(60 * S, resumes.changed()).await;
        resumed.expect("it is notified").expect("the detector runs");
        assert!(!pause_detector.is_current(opened));
        assert!(pause_detector.is_current(pause_detector.epoch()));
    }

    /// A jump of cluster time counts as a pause, and the receivers of [`PauseDetector::resumes`]
    /// are notified. After the jump, peers are served immediately, and clients only after a
    /// confirmed read.
    #[tokio::test(start_paused = true)]
    async fn a_jump_of_cluster_time_is_a_wake() {
        let pause_detector = PauseDetector::start_simulated();
        let mut resumes = pause_detector.resumes();
        pause_detector.confirm_cluster_time(pause_detector.moment(), 1_000);
        tokio::time::sleep(S).await;
        pause_detector.observe_cluster_time(2_500);
        assert_eq!(pause_detector.epoch(), 0);

        pause_detector.observe_cluster_time(9_000);
        let resumed = tokio::time::timeout(60 * S, resumes.changed()).await;
        resumed.expect("it is notified").expect("the detector runs");
        assert!(!pause_detector.is_current(1) && pause_detector.runs(1) && !pause_detector.runs(0));
        tokio::time::sleep(S).await;
        pause_detector.confirm_cluster_time(pause_detector.moment(), 10_000);
        assert!(pause_detector.is_current(1));
    }

    /// Both clocks of the machine are read, and both advance.
    #[tokio::test]
    async fn both_clocks_run() {
        let pause_detector = PauseDetector::start();
        let first = pause_detector.moment();
        let mut last = first;
        while last.monotonic == first.monotonic || last.since_boot == first.since_boot {
            last = pause_detector.moment();
        }
        assert!(last.monotonic > first.monotonic && last.since_boot > first.since_boot);
    }
}
