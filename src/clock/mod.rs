//! The only module that reads the system clocks.

mod pause_detector;
mod pause_state;
mod system;

pub use pause_detector::PauseDetector;
pub use pause_state::Moment;
pub(crate) use pause_state::WRITE_AHEAD_MAX;
pub use system::{Instant, now, since_boot, wall_ms};
