//! Applies faults to a cluster of real processes, one at a time or several at once.

mod disks;
mod kind;
mod links;
mod log;
mod processes;
mod stage;
mod throttle;
mod timeline;

pub use kind::{Harm, Kind};
pub use stage::Stage;
pub use timeline::{Burst, Happened, Pattern, Timeline};
