//! Lookups that wait for a change instead of being asked again.

use super::app::App;
use super::discovery::Discovery;
use super::errors::Refusal;
use crate::clock::{Instant, now};
use crate::model::Lookup;
use crate::raft::{Answer, Wake};
use std::time::Duration;

/// The shortest time between two answers to a client that asks again at once. Two changes at once, which most often belong
/// together, are one answer.
const PUSH_INTERVAL_MIN: Duration = Duration::from_millis(20);
/// What a client is sent at most while changes go on: for fifty workers every 80 ms, for a thousand, who may all be starting
/// and each be asking, once a second.
const PUSH_BYTES_PER_MS: usize = 256;
/// The longest such time: what a client of airlift may ever wait for a change.
pub(super) const PUSH_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// How long after its request an answer of so many bytes may go out.
pub(super) fn push_interval(bytes: usize) -> Duration {
    let ms = u64::try_from(bytes / PUSH_BYTES_PER_MS).unwrap_or(u64::MAX);
    Duration::from_millis(ms).clamp(PUSH_INTERVAL_MIN, PUSH_INTERVAL_MAX)
}

impl<D: Discovery> App<D> {
    /// A linearizable lookup.
    ///
    /// # Errors
    /// When the cluster does not answer in time, or says why it cannot.
    pub(super) async fn look_up(&self, lookup: &Lookup) -> Result<Answer, Refusal> {
        // Apart, so that it takes no room while a lookup is held.
        Box::pin(self.read(|deadline| self.discovery.lookup(lookup, deadline))).await
    }

    /// Waits until the answer of a lookup is no longer the one that the client has and may go out, at most until `until`.
    ///
    /// To be called after a read round of this request. What a wake shows was applied here after that round, so it was the
    /// cluster's state at a moment between call and return, on a node that lags too; what ends without a change is
    /// confirmed by a new round.
    ///
    /// # Errors
    /// When this node serves no reads any more: what it holds may be old.
    pub(super) async fn hold(
        &self,
        lookup: &Lookup,
        has: impl Fn(&Answer) -> bool,
        may_go_out_at: impl Fn(&Answer) -> Instant,
        until: Instant,
    ) -> Result<Answer, Refusal> {
        let mut feed = self.discovery.feed(std::slice::from_ref(lookup))?;
        loop {
            // Looked at after the feed began, so that no change falls between the two.
            let answer = self.discovery.lookup_stale(lookup)?;
            let has = has(&answer);
            let wait_until = if has {
                until
            } else {
                may_go_out_at(&answer).min(until)
            };
            if !has && wait_until <= now() {
                return Ok(answer);
            }
            drop(answer);
            // One of each for both waits, since ten thousand may be held.
            tokio::select! {
                wake = feed.next() => match wake {
                    Wake::Changed => {}
                    Wake::Lost(reason) => return Err(Refusal::Unavailable(reason)),
                },
                () = tokio::time::sleep_until(wait_until) => if has { break },
                () = self.stopping() => break,
            }
        }
        self.look_up(lookup).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change is known within 100 ms where fifty workers are listed, at 400 bytes each, and to thousands of clients of a
    /// thousand workers no faster than once a second.
    #[test]
    fn the_larger_the_answer_the_longer_between_two() {
        assert_eq!(push_interval(0), PUSH_INTERVAL_MIN);
        assert!(push_interval(50 * 400) < Duration::from_millis(100));
        assert_eq!(push_interval(1_000 * 400), PUSH_INTERVAL_MAX);
        assert_eq!(push_interval(usize::MAX), PUSH_INTERVAL_MAX);
    }
}
