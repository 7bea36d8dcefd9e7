//! Records the acknowledgements of all writers, and finds the longest gap between two of them.

use quorate::clock::{Instant, now};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The record of the acknowledgements of all writers.
#[derive(Debug, Default)]
pub struct Acknowledged {
    seen: Mutex<Seen>,
    count: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<Instant>,
    longest_gap: Duration,
}

impl Acknowledged {
    /// Records that a write was acknowledged now.
    pub fn note(&self) {
        self.lock().note(now());
        self.count.send_modify(|count| *count += 1);
    }

    /// Begins to measure gaps at `at`. Gaps between earlier acknowledgements do not count.
    pub fn begin(&self, at: Instant) {
        *self.lock() = Seen {
            last: Some(at),
            longest_gap: Duration::ZERO,
        };
    }

    /// Returns the longest time without an acknowledgement since [`Acknowledged::begin`].
    pub fn longest_gap(&self) -> Duration {
        self.lock().longest_gap
    }

    /// Returns the number of acknowledgements so far.
    pub fn count(&self) -> u64 {
        *self.count.borrow()
    }

    /// Waits until this number of writes has been acknowledged.
    pub async fn reached(&self, count: u64) {
        // The wait cannot fail, because `self` holds the sender.
        let _ = self.count.subscribe().wait_for(|now| *now >= count).await;
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn note(&mut self, at: Instant) {
        // Times may be out of order, because an acknowledgement that was in flight may be recorded
        // late. In this case, the gap is zero.
        let since = self
            .last
            .map_or(Duration::ZERO, |last| at.saturating_duration_since(last));
        self.longest_gap = self.longest_gap.max(since);
        self.last = self.last.max(Some(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest gap since the beginning of the measurement is returned. A gap directly after the
    /// beginning counts too, and gaps before it do not.
    #[test]
    fn the_longest_gap_counts() {
        let ms = Duration::from_millis;
        let acknowledged = Acknowledged::default();
        let began = now();
        acknowledged.lock().note(began);
        acknowledged.lock().note(began + ms(500));
        acknowledged.begin(began + ms(600));
        for at in [700, 650, 1_000, 1_050] {
            acknowledged.lock().note(began + ms(at));
        }
        assert_eq!(acknowledged.longest_gap(), ms(300));
    }
}
