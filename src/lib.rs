//! quorate: a consensus-based, strongly consistent service-discovery cluster that replaces the
//! airlift discovery server for Presto and Trino.
//!
//! The modules form one chain, each using only those before it (enforced by `tests/tidy`):
//! `model <- registry <- storage <- raft <- http <- server <- main`.

pub mod clock;
pub mod config;
pub mod http;
mod locks;
pub mod raft;
pub mod server;
pub mod storage;
pub mod telemetry;

pub use quorate_registry as registry;
pub use quorate_registry::model;

use quorate_planted as planted;
