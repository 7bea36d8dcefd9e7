//! The usage of the HTTP server's limited resources, for operators.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// The resources in use at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireUsage {
    /// Number of open connections.
    pub connections: usize,
    /// Maximum number of open connections.
    pub connections_max: usize,
    /// Number of lookups held until their result changes.
    pub held_lookups: usize,
    /// Number of clients that watch, or wait for an index.
    pub watchers: usize,
    /// Maximum of `held_lookups`, and separately of `watchers`.
    pub waiting_max: usize,
}

/// A gauge of the HTTP server's usage, which is empty until the server starts and fills it.
#[derive(Clone, Default)]
pub struct UsageGauge(Arc<OnceLock<Box<dyn Fn() -> WireUsage + Send + Sync>>>);

impl UsageGauge {
    /// Returns the current usage, or `None` if the HTTP server has not started.
    pub fn read(&self) -> Option<WireUsage> {
        self.0.get().map(|read| read())
    }

    /// Sets the function that reads the usage. Only the first call has an effect.
    pub(super) fn fill(&self, read: impl Fn() -> WireUsage + Send + Sync + 'static) {
        let _first = self.0.set(Box::new(read));
    }
}

impl fmt::Debug for UsageGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UsageGauge").field(&self.read()).finish()
    }
}
