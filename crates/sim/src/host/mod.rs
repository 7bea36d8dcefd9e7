//! One host: a node's process, its device, and its clients.

mod clients;
mod disk;
pub mod process;
