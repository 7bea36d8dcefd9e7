//! The wire: airlift's endpoints and the cluster's own, on one port.
//!
//! A connection is accepted and timed by `connection` and counted by `connection_limiter`; each of
//! its requests is checked by `service` (host, size of the head, path, the beat) and served by the
//! handler that `router` names; the two most frequent kinds, lookups and announcements, bypass the
//! router.
//! Refusals are `error`; what is owed to airlift and its clients is listed in
//! `request::airlift_compat`.

mod access_record;
mod backend;
mod connection;
mod connection_limiter;
mod error;
// With the tests, since it puts a bare registry in the group's place.
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzzing never makes it fail"))]
#[path = "tests/fake_backend.rs"]
mod fake_backend;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handlers;
mod request;
mod respond;
mod router;
mod service;
mod settings;
mod state;
mod usage;

#[cfg(test)]
mod tests;

pub use access_record::{AccessLog, AccessRecord};
pub use backend::Discovery;
pub use connection::{raise_descriptors, serve};
pub use error::QUORATE_APPLIED;
pub use handlers::QUORATE_CONSISTENCY;
pub use settings::{CoordinatorChoice, HttpSettings};
pub use state::QUORATE_INDEX;
pub use usage::{UsageGauge, WireUsage};
