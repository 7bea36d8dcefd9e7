//! Long polling: lookups that wait for a change instead of being repeated.

use crate::clock::Instant;
use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::model::Lookup;
use crate::raft::{LookupResult, WatchEvent};

impl<D: Backend> AppState<D> {
    /// Runs a linearizable lookup.
    ///
    /// # Errors
    /// Fails if the cluster does not respond in time, or reports why it cannot serve the lookup.
    pub(in crate::http) async fn look_up(&self, lookup: &Lookup) -> Result<LookupResult, ApiError> {
        // This future is boxed, because it would otherwise make the future of every held lookup
        // larger.
        Box::pin(self.read(|deadline| self.backend.lookup(lookup, deadline))).await
    }

    /// Waits until the result of a lookup differs from the result that the client has, or until
    /// `until` (long polling).
    ///
    /// Must be called after a linearizable read of the same request. Every change that the watcher
    /// reports was applied on this node after that read. Even on a node that lags, the changed
    /// result was therefore current in the cluster at some moment during the request. If the wait
    /// ends without a change, a new linearizable read confirms the result.
    ///
    /// # Errors
    /// Fails if this node no longer serves reads, because its state may be stale.
    pub(in crate::http) async fn hold(
        &self,
        lookup: &Lookup,
        has: impl Fn(&LookupResult) -> bool,
        until: Instant,
    ) -> Result<LookupResult, ApiError> {
        let mut watcher = self.backend.watch(std::slice::from_ref(lookup))?;
        loop {
            // The lookup runs after the watcher was created, so that no change between these two
            // steps is missed.
            let answer = self.backend.lookup_stale(lookup)?;
            self.make(&answer, false).await?;
            if !has(&answer) {
                return Ok(answer);
            }
            tokio::select! {
                event = watcher.next() => match event {
                    WatchEvent::Changed => {}
                    WatchEvent::Lost(reason) => return Err(ApiError::Unavailable(reason)),
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
