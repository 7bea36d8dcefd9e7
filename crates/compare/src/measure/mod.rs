//! Describes the loads, runs load generators, and measures figures, processor time and memory.

pub mod figures;
pub mod interval;
pub mod load;
pub mod processor_samples;
pub mod quiesce;
pub mod tasks;
pub mod usage;
