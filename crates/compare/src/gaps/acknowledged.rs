//! When writes were acknowledged.

use quorate::clock::{Instant, now};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// What all writers tell together.
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
    /// A write was acknowledged just now.
    pub fn note(&self) {
        self.lock().note(now());
        self.count.send_modify(|count| *count += 1);
    }

    /// From now on gaps are measured; nothing before counts.
    pub fn begin(&self, at: Instant) {
        *self.lock() = Seen {
            last: Some(at),
            longest_gap: Duration::ZERO,
        };
    }

    /// The longest gap since then.
    pub fn longest_gap(&self) -> Duration {
        self.lock().longest_gap
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        *self.count.borrow()
    }

    /// Waits until there were so many.
    pub async fn reached(&self, count: u64) {
        // The sender is here.
        let _ = self.count.subscribe().wait_for(|now| *now >= count).await;
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn note(&mut self, at: Instant) {
        // One that was under way when it began may be noted late.
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

    /// The longest of all gaps counts, the one after the beginning too, and none before it.
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
