//! The loads, and the means to measure them.

pub mod figures;
pub mod load;
pub mod quiesce;
pub mod tasks;
pub mod usage;
