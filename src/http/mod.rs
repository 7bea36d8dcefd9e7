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
mod large;
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
mod statics;
mod tags;
mod usage;
mod watch;

#[cfg(test)]
mod tests;

pub use accept::serve;
pub use access::{AccessLog, AccessRecord};
pub use app::QUORATE_INDEX;
pub use coordinator::CoordinatorChoice;
pub use discovery::Discovery;
pub use errors::QUORATE_APPLIED;
pub use limits::raise_descriptors;
pub use lookup::QUORATE_CONSISTENCY;
pub use usage::{UsageGauge, WireUsage};

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Most clients ask once in some seconds.
const PARKED_AFTER: Duration = Duration::from_secs(1);

/// What the server is told about its wire.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// `node.environment`: what an announcement must name.
    pub environment: String,
    /// `discovery.max-announcement-size`: the largest body, as it comes and once inflated.
    pub max_announcement_bytes: usize,
    /// Bytes of request bodies that are held at once: read, or with their writes under way. At
    /// least eight of the largest.
    pub max_pending_body_bytes: usize,
    /// The most for the request target, and for all headers together.
    pub max_header_bytes: usize,
    /// The same for the paths that lead to the coordinator: clients of an engine send prepared
    /// statements in headers.
    pub max_redirected_header_bytes: usize,
    /// Connections in all. Lowered to what the process's descriptors allow.
    pub max_connections: usize,
    /// Connections from one address that have not yet brought a whole request.
    pub max_connections_per_address: usize,
    /// `discovery.hold-time`: how long a lookup is held whose bytes the client has; 0: not at all.
    pub hold_time_ms: u64,
    /// `discovery.announce-interval`, in seconds: what clients are told about their next announcement.
    pub announce_interval_s: Option<u64>,
    /// `discovery.coordinator-choice`
    pub coordinator_choice: CoordinatorChoice,
    /// `discovery.coordinator-redirect`: whether the engine's own paths lead to its coordinator.
    pub coordinator_redirect: bool,
    /// Lookups that are held at once, and as many clients that watch or wait.
    pub max_waiting: usize,
    /// A connection on which nothing has happened for this long, between two requests, is parked.
    pub parked_after: Duration,
    /// Set when the process is about to stop: `/v1/cluster/ready` says so before the first connection is turned away.
    pub leaving: Arc<AtomicBool>,
    /// Filled with what is in use, once the wire is served.
    pub usage: UsageGauge,
}

impl HttpSettings {
    /// `http-server.max-request-header-size`: for all paths.
    pub fn set_max_header_bytes(&mut self, bytes: usize) {
        self.max_header_bytes = bytes;
        self.max_redirected_header_bytes = bytes;
    }

    /// The most that is read of any request's head.
    pub(crate) fn max_head_bytes(&self) -> usize {
        self.max_header_bytes.max(self.max_redirected_header_bytes)
    }

    /// The defaults, for an environment.
    pub fn new(environment: impl Into<String>) -> HttpSettings {
        HttpSettings {
            environment: environment.into(),
            max_announcement_bytes: 1024 * 1024,
            max_pending_body_bytes: 64 << 20,
            max_header_bytes: 8 * 1024,
            max_redirected_header_bytes: 64 * 1024,
            max_connections: 16_384,
            max_connections_per_address: 1_024,
            hold_time_ms: 20_000,
            announce_interval_s: None,
            coordinator_choice: CoordinatorChoice::Newest,
            coordinator_redirect: true,
            max_waiting: 10_000,
            parked_after: PARKED_AFTER,
            leaving: Arc::new(AtomicBool::new(false)),
            usage: UsageGauge::default(),
        }
    }
}
