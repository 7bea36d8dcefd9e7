//! The building blocks of `GET /metrics`: the time series of one scrape, and their text.
//!
//! The parts of the program count what they do. A scrape reads all counts, and renders them
//! together with values that are read at that moment, such as the number of services. The number of
//! series does not depend on clients: no label has a value that a client chooses.

mod disk;
mod durations;
mod exposition;
mod process;

pub use disk::DiskMetrics;
pub use durations::durations;
pub use exposition::{Exposition, Format, LabelSet};
pub use process::ProcessSample;
