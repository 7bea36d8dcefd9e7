//! The rate at which cluster time moves.

use crate::clock;
use std::time::Duration;

/// Time between two ticks.
pub(crate) const TICK_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum advance of cluster time per tick: two intervals, so that a leader that resumes after a
/// pause handles the queued renewals before time moves on.
pub(crate) const STEP: Duration = Duration::from_millis(1_000);

// A tick that follows a given moment may count one step from before it. No write may be rejected
// for that.
const _: () = assert!(STEP.as_millis() < clock::WRITE_AHEAD_MAX.as_millis());
