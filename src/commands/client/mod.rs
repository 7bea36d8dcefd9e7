//! The client of a cluster that the commands share.

pub mod coordinator;
