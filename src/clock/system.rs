//! Functions that read the clocks of the system.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use tokio::time::Instant;

/// Returns the current reading of the monotonic clock. Used for timeouts and for the leader's
/// ticks, never for the registry.
pub fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one reader of the monotonic clock"
    )]
    Instant::now()
}

/// Returns the time since the machine was booted. This clock keeps running while the machine is
/// suspended, whereas [`now`] stops.
///
/// Only for [`super::PauseDetector`]. Systems other than Linux have no clock of this name; there
/// the function always returns zero, which detects nothing.
pub fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Both fields are never negative, so the casts do not change them.
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}

/// Returns the wall-clock time in milliseconds since the Unix epoch. Only for log lines: no
/// decision depends on it.
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
