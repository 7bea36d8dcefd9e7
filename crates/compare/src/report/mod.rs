//! The performance goals, the results of a run, and their table.

pub mod goals;
pub mod results;
pub mod table;
