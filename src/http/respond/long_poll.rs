//! Lookups that wait for a change instead of being asked again.

use crate::clock::Instant;
use crate::http::backend::Discovery;
use crate::http::error::Refusal;
use crate::http::state::AppState;
use crate::model::Lookup;
use crate::raft::{Answer, Wake};

impl<D: Discovery> AppState<D> {
    /// A linearizable lookup.
    ///
    /// # Errors
    /// When the cluster does not answer in time, or says why it cannot.
    pub(in crate::http) async fn look_up(&self, lookup: &Lookup) -> Result<Answer, Refusal> {
        // Apart, so that it takes no room while a lookup is held.
        Box::pin(self.read(|deadline| self.discovery.lookup(lookup, deadline))).await
    }

    /// Waits until the answer of a lookup is no longer the one that the client has, at most until `until`.
    ///
    /// To be called after a read round of this request. What a wake shows was applied here after that round, so it was the
    /// cluster's state at a moment between call and return, on a node that lags too; what ends without a change is
    /// confirmed by a new round.
    ///
    /// # Errors
    /// When this node serves no reads any more: what it holds may be old.
    pub(in crate::http) async fn hold(
        &self,
        lookup: &Lookup,
        has: impl Fn(&Answer) -> bool,
        until: Instant,
    ) -> Result<Answer, Refusal> {
        let mut feed = self.discovery.feed(std::slice::from_ref(lookup))?;
        loop {
            // Looked at after the feed began, so that no change falls between the two.
            let answer = self.discovery.lookup_stale(lookup)?;
            self.make(&answer, false).await?;
            if !has(&answer) {
                return Ok(answer);
            }
            tokio::select! {
                wake = feed.next() => match wake {
                    Wake::Changed => {}
                    Wake::Lost(reason) => return Err(Refusal::Unavailable(reason)),
                },
                () = tokio::time::sleep_until(until) => break,
                () = self.stopping() => break,
            }
        }
        let answer = self.look_up(lookup).await?;
        self.make(&answer, false).await?;
        Ok(answer)
    }
}
