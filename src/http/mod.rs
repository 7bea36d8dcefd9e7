//! The HTTP server: airlift's endpoints and the cluster's own, on one port.
//!
//! - `connection` accepts connections, enforces their time limits, and parks idle connections.
//!   `connection_limiter` counts the connections.
//! - `service` checks the host, the head size and the path of each request. It also rejects
//!   requests if the process was suspended since the connection was opened, or if the client has
//!   not proved what `authentication` demands.
//! - `router` selects the handler of a request. The two most frequent kinds of request, lookups and
//!   announcements, bypass the router.
//! - `error` defines the error responses.
//! - `request::airlift_compat` lists the behaviour that airlift's clients depend on.

mod access_record;
mod audit_events;
mod authentication;
mod backend;
mod connection;
mod connection_limiter;
mod error;
// This module replaces the Raft group with a bare registry, for tests and fuzzing only.
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzzing never makes it fail"))]
#[path = "tests/fake_backend.rs"]
mod fake_backend;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handlers;
mod limited_log;
mod metrics;
mod request;
mod respond;
mod router;
mod service;
mod settings;
mod state;
mod usage;

#[cfg(test)]
mod tests;

pub use access_record::{AccessLog, HttpRecord};
pub use authentication::EngineSecurity;
pub use backend::Backend;
pub use connection::{HttpListener, raise_descriptors, serve};
pub use error::QUORATE_APPLIED;
pub use handlers::QUORATE_CONSISTENCY;
pub use settings::{CoordinatorChoice, HttpSettings};
pub use state::QUORATE_INDEX;
pub use usage::{UsageGauge, WireUsage};
