//! The only place that asks the system for the time.

mod beat;
mod pulse;
mod system;

pub use beat::Beat;
pub use pulse::Moment;
pub(crate) use pulse::WRITE_AHEAD_MAX;
pub use system::{Instant, now, since_boot, wall_ms};
