//! Real quorate processes for tests: a group of them in temporary directories, a client that
//! speaks the wire by itself, and one way to wait.
//!
//! Processes rather than tasks, since what is proved here is about kills, freezes and disks.
//! Nothing of the product is linked but its clock and the numbers of its exit codes.

pub mod cluster;
pub mod etc;
pub mod events;
#[cfg(target_os = "linux")]
pub mod failing_disk;
#[cfg(target_os = "linux")]
pub mod faults;
pub mod http;
pub mod http2;
pub mod many_clients;
pub mod mesh;
#[cfg(target_os = "linux")]
pub mod network;
pub mod node;
pub mod peer_wire;
pub mod ports;
#[cfg(target_os = "linux")]
pub mod power_cut;
#[cfg(target_os = "linux")]
pub mod preloaded;
pub mod proxy;
pub mod recorded;
#[cfg(target_os = "linux")]
pub mod resolver;
pub mod rivals;
pub mod slots;
#[cfg(target_os = "linux")]
pub mod small_disk;
#[cfg(target_os = "linux")]
pub mod stopped_clock;
pub mod traffic;
pub mod wait;
pub mod workers;
#[cfg(target_os = "linux")]
pub mod wrong_clock;

pub use cluster::{Cluster, Options};
pub use mesh::Mesh;
pub use node::Write;
pub use proxy::Proxy;
pub use wait::{let_pass, until};
