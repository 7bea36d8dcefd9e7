//! Real quorate processes for tests: a group of them in temporary directories, a client that
//! speaks the wire by itself, and one way to wait.
//!
//! Processes rather than tasks, since what is proved here is about kills, freezes and disks.
//! Nothing of the product is linked but its clock and the numbers of its exit codes.

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
    failing_disk, network, power_cut, preloaded, resolver, small_disk, stopped_clock, wrong_clock,
};
pub use nodes::cluster::{Cluster, Options};
pub use nodes::mesh::Mesh;
pub use nodes::node::Write;
pub use nodes::proxy::Proxy;
pub use nodes::{cluster, etc, node, ports, proxy, slots};
pub use wait::{let_pass, until};
