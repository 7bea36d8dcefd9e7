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

/// Returns the time since the machine was booted. This clock continues while the machine is
/// suspended, whereas the clock of [`now`] stops.
///
/// Used only by [`super::PauseDetector`]. On systems other than Linux, the function always returns
/// zero, so this clock never reveals a pause.
pub fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Neither field is ever negative, so the casts do not change the values.
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}

/// Returns the wall-clock time in milliseconds since the Unix epoch. Used for log files, to check
/// whether an engine's token is valid now, and to show by how much the clocks of members differ. No
/// decision of the group depends on this clock.
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
