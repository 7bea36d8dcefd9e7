//! Runs quorate processes: a cluster of them, their configuration and their links.

pub mod cluster;
pub mod etc;
pub mod mesh;
pub mod node;
pub mod ports;
pub mod proxy;
pub mod rolling;
pub mod secured;
pub mod slots;
