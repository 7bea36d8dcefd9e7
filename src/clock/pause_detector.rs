//! Detects that this process was stopped, since what it reads afterwards may be old
//! (docs/decisions/0004).

use super::pause_state::{Moment, Pulse};
use super::system::{now, since_boot};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// How often the beat is taken. Ten in the time that decides, so that one late beat decides nothing.
const INTERVAL: Duration = Duration::from_millis(100);

/// The process's own pulse, by which it knows that it was stopped and has just woken.
///
/// A stopped process (SIGSTOP, a paused virtual machine, a stalled runtime) finds requests in its
/// sockets that look new and are old. Before a write is taken, [`Beat::awake`] is asked with the
/// epoch in which its connection was opened, and the write is refused if the answer is no.
///
/// - The epoch grows with each wake, and never otherwise.
/// - Between a wake and the beat that notices it, nothing is awake.
/// - The beat is a task, not a thread: a runtime that does not come round is as stopped as a process.
/// - Two clocks are read, since a paused machine may stop either. If both stood still, cluster time
///   tells: it went on meanwhile. Then nothing is awake until a read that began after the wake is
///   confirmed, so that all is known that happened during the stop.
///
/// The beat is the second line. What a write may come over rests on log indexes and cluster time
/// ([`crate::registry::Arrival`]); the beat closes connections, refuses what is old sooner, and
/// gives the bound on cluster time that a write carries.
#[derive(Clone)]
pub struct Beat(Arc<Shared>);

struct Shared {
    pulse: Mutex<Pulse>,
    epoch: watch::Sender<u64>,
    since_boot: fn() -> Duration,
}

impl Beat {
    /// Starts to beat, on the current tokio runtime, until the last clone is dropped.
    pub fn start() -> Beat {
        Beat::start_with(since_boot)
    }

    /// Starts to beat by tokio's clock alone, which a simulation moves.
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

    /// How often this process woke from a stop. Note it when a connection is opened.
    pub fn epoch(&self) -> u64 {
        self.with_pulse(|pulse| pulse.epoch())
    }

    /// Whether what is read now, from a connection opened in `opened_epoch`, may be taken for new.
    pub fn awake(&self, opened_epoch: u64) -> bool {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.awake(opened_epoch, at))
    }

    /// Whether the process ran since `opened_epoch`. For peers: what they bring is what a process
    /// lacks after a stop.
    pub fn runs(&self, opened_epoch: u64) -> bool {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.runs(opened_epoch, at))
    }

    /// Changes with each wake, so that what was opened before it can be closed.
    pub fn wakes(&self) -> watch::Receiver<u64> {
        self.0.epoch.subscribe()
    }

    /// Reads the clocks. To be handed to [`Beat::confirm_cluster_time`] later.
    pub fn moment(&self) -> Moment {
        Moment {
            monotonic: now(),
            since_boot: (self.0.since_boot)(),
        }
    }

    /// Cluster time has come to this. If it ran ahead of this machine's clocks, the process stood
    /// still: its epoch ends.
    pub fn observe_cluster_time(&self, cluster_ms: u64) {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.observe(cluster_ms, at));
        self.tell_wake();
    }

    /// A linearizable read that began at a moment is done, and cluster time is this now. What
    /// follows is judged by it.
    pub fn confirm_cluster_time(&self, began: Moment, cluster_ms: u64) {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.confirm(began, cluster_ms, at));
        self.tell_wake();
    }

    /// The most that cluster time can be this much later, if this process has been running; `None`
    /// before it knows, and zero while it has yet to learn what happened during a stop.
    pub fn highest_cluster_ms(&self, later: Duration) -> Option<u64> {
        let at = self.moment();
        self.with_pulse(|pulse| pulse.highest_cluster_ms(later, at))
    }

    /// Makes it seem that the process was stopped until now, for so long.
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
                "this process was stopped for over a second: it closes the connections opened before"
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

    /// The task beats by itself, notices a jump of the monotonic clock, and says so to those who wait for it.
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

    /// A jump of cluster time is told to those who wait for a wake, and peers are served before
    /// clients are.
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

    /// Both clocks of the machine are read, and run.
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
