//! quorate: a consensus-based, strongly consistent service-discovery cluster
//! that takes the place of the airlift discovery server for Presto and Trino.
//!
//! The modules form one chain, each using only those before it (held by
//! `tests/tidy/main.rs`): `model <- registry <- raft <- http <- server <- main`.

pub mod clock;
pub mod config;
pub mod http;
pub mod model;
mod planted;
pub mod raft;
pub mod registry;
pub mod server;
pub mod telemetry;
