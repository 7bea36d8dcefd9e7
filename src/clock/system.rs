//! Reads the clocks of the system.

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

/// The time since the machine was booted. It goes on in a suspended machine, where [`now`] stands
/// still.
///
/// Only for [`super::Beat`]. Systems other than Linux have no such clock by this name; there it is
/// always
/// zero, and says nothing.
pub fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Neither is ever negative.
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
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
