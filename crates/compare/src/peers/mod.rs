//! Starts the servers that are measured, and puts load on them.

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

pub use cluster::{Cluster, LoadTarget};
pub use programs::{Airlift, Etcd, NODES, Programs, START_LIMIT, https_urls, urls};
