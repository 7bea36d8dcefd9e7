//! What quorate is held to, and what came of it.

pub mod goals;
pub mod results;
pub mod table;
