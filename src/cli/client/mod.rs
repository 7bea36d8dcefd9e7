//! The client code that the commands share.

pub mod coordinator;
pub mod error;
pub mod exec;
pub mod failover;
pub mod output;
pub mod query;
pub mod sse;
