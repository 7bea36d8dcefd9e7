//! The servers that are measured: each can be started and put under load.

mod airlift;
pub mod baseline;
mod cluster;
mod etcd;
mod load;
pub mod process;
mod programs;
pub mod quorate;
pub mod request;
mod start;

pub use cluster::Cluster;
pub use programs::{Airlift, Etcd, NODES, Programs, START_LIMIT, urls};
