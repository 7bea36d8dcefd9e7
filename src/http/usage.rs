//! How much of the wire is in use, for an operator who asks.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// What is in use at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireUsage {
    /// Connections that are open.
    pub connections: usize,
    /// The most that there may be.
    pub connections_max: usize,
    /// Lookups that are held until they change.
    pub held_lookups: usize,
    /// Clients that watch, or wait for an index.
    pub watchers: usize,
    /// The most of either of the last two.
    pub waiting_max: usize,
}

/// Reads the usage of the wire that fills it.
#[derive(Clone, Default)]
pub struct UsageGauge(Arc<OnceLock<Box<dyn Fn() -> WireUsage + Send + Sync>>>);

impl UsageGauge {
    /// Returns what is in use now; none before the wire is served.
    pub fn read(&self) -> Option<WireUsage> {
        self.0.get().map(|read| read())
    }

    /// Sets what reads it. Only the first wire counts.
    pub(super) fn fill(&self, read: impl Fn() -> WireUsage + Send + Sync + 'static) {
        let _first = self.0.set(Box::new(read));
    }
}

impl fmt::Debug for UsageGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UsageGauge").field(&self.read()).finish()
    }
}
