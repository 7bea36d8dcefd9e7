//! How often cluster time moves, and how far.

use crate::clock;
use std::time::Duration;

/// Between two ticks.
pub(crate) const TICK_INTERVAL: Duration = Duration::from_millis(500);
/// The most that one tick moves cluster time: two intervals, so that a stopped leader wakes to queued renewals
/// before time runs on.
pub(crate) const STEP: Duration = Duration::from_millis(1_000);

// A tick that follows a moment may count one step from before it, and no write is refused for that.
const _: () = assert!(STEP.as_millis() < clock::WRITE_AHEAD_MAX.as_millis());
