//! What is measured, and with what.

pub mod figures;
pub mod load;
pub mod quiesce;
pub mod tasks;
pub mod usage;
