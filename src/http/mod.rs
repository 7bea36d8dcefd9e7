//! The wire: airlift's endpoints and the cluster's own, on one port.
//!
//! A connection is taken by `accept`, timed by `connection` and counted by `places`; each of its
//! requests is looked over by `front` (host, size of the head, path, the beat) and served by the
//! handler that `router` names; what nearly all are, a
//! lookup or an announcement, passes the router by.
//! Refusals are `errors`; what is owed to airlift and its clients is listed in `compat`.

mod accept;
mod access;
mod announcement;
mod app;
mod body;
mod budget;
mod cluster;
mod compat;
mod connection;
mod coordinator;
mod discovery;
mod errors;
mod events;
mod front;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hold;
mod host;
mod inventory;
mod known_bodies;
mod limits;
// With the tests, since it puts a bare registry in the group's place.
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzzing never makes it fail"))]
#[path = "tests/lone.rs"]
mod lone;
mod lookup;
mod negotiate;
mod places;
mod query;
mod redirect;
mod rendered_coordinators;
mod router;
mod settings;
mod statics;
mod tags;
mod usage;
mod watch;

#[cfg(test)]
mod tests;

pub use accept::serve;
pub use access::{AccessLog, AccessRecord};
pub use app::QUORATE_INDEX;
pub use discovery::Discovery;
pub use errors::QUORATE_APPLIED;
pub use limits::raise_descriptors;
pub use lookup::QUORATE_CONSISTENCY;
pub use settings::{CoordinatorChoice, HttpSettings};
pub use usage::{UsageGauge, WireUsage};
