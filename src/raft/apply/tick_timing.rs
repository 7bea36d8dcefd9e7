//! The rate at which cluster time moves.

use crate::clock;
use std::time::Duration;

/// Time between two ticks.
pub(crate) const TICK_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum advance of cluster time per tick: two intervals, so that a leader that resumes after a
/// pause handles the queued renewals before time moves on.
pub(crate) const STEP: Duration = Duration::from_millis(1_000);

// A write carries an upper bound on cluster time, which is computed from the cluster time at an
// earlier confirmed read (`PauseDetector::confirm_cluster_time`). The first tick after that read
// may count up to one step of time from before the read. If the bound did not allow for this step,
// a write would be rejected by mistake.
const _: () = assert!(STEP.as_millis() < clock::WRITE_AHEAD_MAX.as_millis());
