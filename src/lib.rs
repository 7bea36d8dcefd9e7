//! quorate: a consensus-based, strongly consistent service-discovery cluster that replaces the
//! airlift discovery server for Presto and Trino.
//!
//! The modules form a chain, in which each module uses only the modules before it:
//! `model <- registry <- storage <- raft <- http <- server <- main`. The first three are in crates,
//! whose manifests limit what they use. `tests/tidy` enforces the order of the rest.

pub mod audit;
pub mod clock;
pub mod config;
pub mod http;
mod locks;
mod metrics;
pub mod raft;
pub mod server;
pub mod telemetry;

pub use quorate_registry as registry;
pub use quorate_registry::model;
pub use quorate_security as security;
pub use quorate_storage as storage;

// `planted` switches on one deliberate bug at a time, so that tests can show that they find it.
use quorate_planted as planted;
