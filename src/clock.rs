//! The only place that asks the system for the time.

mod beat;

pub use beat::Beat;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use tokio::time::Instant;

/// Monotonic now. Used for time limits and for the leader's ticks; never for the registry.
pub fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one reader of the monotonic clock"
    )]
    Instant::now()
}

/// Wall-clock milliseconds since the Unix epoch. For log lines only: no decision rests on it.
pub fn wall_ms() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one reader of the wall clock"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_millis() as u64
}
