//! Describes the loads, runs load generators, and measures figures, processor time and memory.

pub mod figures;
pub mod load;
pub mod quiesce;
pub mod tasks;
pub mod usage;
