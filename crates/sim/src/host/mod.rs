//! One host: a node's process, its device, and the clients that ask it.

mod clients;
mod disk;
pub mod process;
