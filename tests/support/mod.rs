//! Real quorate processes for tests: groups of them in temporary directories, clients that
//! implement the protocols independently, and one way to wait.
//!
//! The tests use processes rather than tasks, because they are about kills, freezes and disks. They
//! link only the clock and the exit codes of the product.

mod clients;
#[cfg(target_os = "linux")]
pub mod faults;
#[cfg(target_os = "linux")]
mod machine;
mod nodes;
pub mod wait;

pub use clients::{
    engine_tokens, engines_secret, events, http, http2, many_clients, peer_wire, recorded, rivals,
    tls, traffic, workers,
};
#[cfg(target_os = "linux")]
pub use machine::{
    failing_disk, network, power_cut, preloaded, resolver, small_disk, stopped_clock, wrong_clock,
};
pub use nodes::cluster::{Cluster, Options};
pub use nodes::mesh::Mesh;
pub use nodes::node::Write;
pub use nodes::proxy::Proxy;
pub use nodes::{cluster, etc, node, ports, proxy, rolling, secured, slots};
pub use wait::{let_pass, until};
