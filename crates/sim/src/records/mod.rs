//! The committed log, and the writes and responses of clients, checked against each other.

pub mod answers;
pub mod history;
pub mod writes;
