//! Real quorate processes for tests: a group of them in temporary directories, a client with its
//! own implementation of the protocol, and one way to wait.
//!
//! The tests use processes rather than tasks, since they are about kills, freezes and disks. The
//! only linked parts of the product are its clock and its exit codes.

mod clients;
#[cfg(target_os = "linux")]
pub mod faults;
#[cfg(target_os = "linux")]
mod machine;
mod nodes;
pub mod wait;

pub use clients::{
    events, http, http2, many_clients, peer_wire, recorded, rivals, traffic, workers,
};
#[cfg(target_os = "linux")]
pub use machine::{
    failing_disk, network, power_cut, resolver, small_disk, stopped_clock, wrong_clock,
};
pub use nodes::cluster::{Cluster, Options};
pub use nodes::mesh::Mesh;
pub use nodes::node::Write;
pub use nodes::proxy::Proxy;
pub use nodes::{cluster, etc, node, ports, proxy, slots};
pub use wait::{let_pass, until};
