//! What was committed, and what clients were told and wrote, held against each other.

pub mod answers;
pub mod history;
pub mod writes;
