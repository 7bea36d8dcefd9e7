//! Whether this process has been running all along (amendment A3).

use super::{Instant, now};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// How often the beat is taken. Ten in the time that decides, so that one late beat decides nothing.
const INTERVAL: Duration = Duration::from_millis(100);

/// A beat older than this means that the process was stopped: what it reads now may have waited in
/// a socket for as long (amendment A3).
const STOPPED_AFTER: Duration = Duration::from_secs(1);

/// The process's own pulse, by which it knows that it was stopped and has just woken.
///
/// A stopped process (SIGSTOP, a frozen virtual machine, a stalled runtime) finds requests in its
/// sockets that look new and are old. Whoever takes a write asks [`Beat::awake`] with the epoch in
/// which its connection was opened, and refuses when the answer is no.
///
/// - The epoch grows by one with each wake, and never otherwise.
/// - Between a wake and the beat that notices it, nothing is awake.
/// - The beat is a task, not a thread: a runtime that does not come round is as stopped as a process.
#[derive(Clone)]
pub struct Beat(Arc<Shared>);

struct Shared {
    pulse: Mutex<Pulse>,
    epoch: watch::Sender<u64>,
}

/// The state behind a [`Beat`], with time passed in.
#[derive(Debug)]
struct Pulse {
    last: Instant,
    epoch: u64,
}

impl Pulse {
    fn new(at: Instant) -> Pulse {
        Pulse { last: at, epoch: 0 }
    }

    fn beat(&mut self, at: Instant) {
        if at.duration_since(self.last) > STOPPED_AFTER {
            self.epoch += 1;
        }
        self.last = at;
    }

    fn awake(&self, opened_epoch: u64, at: Instant) -> bool {
        self.epoch == opened_epoch && at.duration_since(self.last) <= STOPPED_AFTER
    }
}

impl Beat {
    /// Starts to beat, on the current tokio runtime, until the last clone is dropped.
    pub fn start() -> Beat {
        let beat = Beat(Arc::new(Shared {
            pulse: Mutex::new(Pulse::new(now())),
            epoch: watch::Sender::new(0),
        }));
        tokio::spawn(keep(Arc::downgrade(&beat.0)));
        beat
    }

    /// How often this process woke from a stop. Note it when a connection is opened.
    pub fn epoch(&self) -> u64 {
        self.with_pulse(|pulse| pulse.epoch)
    }

    /// Whether the last beat is at most a second old and the process did not wake since `opened_epoch`.
    pub fn awake(&self, opened_epoch: u64) -> bool {
        self.with_pulse(|pulse| pulse.awake(opened_epoch, now()))
    }

    /// Changes with each wake, so that what was opened before it can be closed.
    pub fn wakes(&self) -> watch::Receiver<u64> {
        self.0.epoch.subscribe()
    }

    /// Makes it seem that the process was stopped until now, for so long.
    #[cfg(test)]
    pub(crate) fn pretend_stopped(&self, time: Duration) {
        self.with_pulse(|pulse| pulse.last -= time);
    }

    fn with_pulse<T>(&self, f: impl FnOnce(&mut Pulse) -> T) -> T {
        f(&mut self.0.pulse.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn beat(&self) {
        let epoch = self.with_pulse(|pulse| {
            pulse.beat(now());
            pulse.epoch
        });
        let woke = self
            .0
            .epoch
            .send_if_modified(|held| std::mem::replace(held, epoch) != epoch);
        if woke {
            tracing::warn!(
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
    const MS: Duration = Duration::from_millis(1);

    /// A connection opened before a stop is never awake again, and one opened after it is.
    #[test]
    fn a_stop_ends_the_epoch() {
        let start = now();
        let mut pulse = Pulse::new(start);
        assert!(pulse.awake(0, start + S));

        let woken = start + 60 * S;
        assert!(
            !pulse.awake(0, woken),
            "the beat has not come round yet: nothing is awake"
        );
        pulse.beat(woken);
        assert!(!pulse.awake(0, woken), "opened before the stop");
        assert!(pulse.awake(1, woken + S), "opened after it");
    }

    /// Beats that come late by less than a second are no stop, however many they are.
    #[test]
    fn a_busy_machine_is_not_a_stop() {
        let start = now();
        let mut pulse = Pulse::new(start);
        for n in 1..100 {
            pulse.beat(start + n * S);
        }
        assert!(pulse.awake(0, start + 100 * S));
        assert!(!pulse.awake(0, start + 100 * S + MS));
    }

    /// The task beats by itself, notices a jump of the monotonic clock, and says so to those who wait for it.
    #[tokio::test(start_paused = true)]
    async fn the_task_notices_a_stop() {
        let beat = Beat::start();
        let mut wakes = beat.wakes();
        let opened = beat.epoch();
        tokio::time::sleep(10 * S).await;
        assert!(beat.awake(opened));

        tokio::time::advance(5 * S).await;
        assert!(!beat.awake(opened));
        wakes.changed().await.expect("the beat goes on");
        assert!(!beat.awake(opened));
        assert!(beat.awake(beat.epoch()));
    }
}
