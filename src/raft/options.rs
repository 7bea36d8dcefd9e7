//! What the façade is started with.

use super::transport::{Dial, Dialer};
use crate::clock::Beat;
use crate::model::Inventory;
use crate::storage::Store;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The settings of one node, as far as consensus needs them.
#[derive(Clone)]
pub struct Options {
    /// This node's `node.id`.
    pub node_id: String,
    /// Its environment; a part of the cluster's identity.
    pub environment: String,
    /// Where peers reach it: `http://host:port`.
    pub address: String,
    /// Dial peers from this address where possible.
    pub bind: Option<IpAddr>,
    /// How peers are dialed instead of by TCP and HTTP: a simulation brings its own network.
    pub dial: Option<Arc<dyn Dial>>,
    /// Who forms the group, and where members are reached; `None`: a cluster of one, or a member that could not read it.
    pub inventory: Option<Inventory>,
    /// `discovery.max-age`.
    pub max_age: Duration,
    /// `discovery.recovery-gap`.
    pub recovery_gap: Duration,
    /// `discovery.recovery-grace`.
    pub recovery_grace: Duration,
    /// `cluster.auto-rejoin`.
    pub auto_rejoin: bool,
    /// `cluster.heartbeat-interval`.
    pub heartbeat: Duration,
    /// `cluster.election-timeout`, its lower and upper bound.
    pub election: (Duration, Duration),
    /// How much log is kept.
    pub log_limits: LogLimits,
    /// The opened data directory.
    pub store: Store,
    /// Tells when this process was stopped for a while.
    pub beat: Beat,
}

/// How much log is kept, in bytes of its records.
///
/// At 100,000 services, 100 of a node, a core applies some 35 MB a second of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// A snapshot is made when it covers so much that the last one does not: what a start applies.
    pub snapshot_every_bytes: u64,
    /// A larger log is purged: what a start reads. What comes while a snapshot is made is on top of it.
    pub max_bytes: u64,
    /// So much stays when it is purged, so that a node that was away for a moment needs no snapshot.
    pub kept_bytes: u64,
}

impl Default for LogLimits {
    fn default() -> LogLimits {
        LogLimits {
            snapshot_every_bytes: 64 << 20,
            max_bytes: 96 << 20,
            kept_bytes: 32 << 20,
        }
    }
}

impl Options {
    /// How this node dials its peers.
    pub(super) fn dialer(&self) -> Dialer {
        match &self.dial {
            None => Dialer::tcp(self.bind),
            Some(dial) => Dialer::Own(dial.clone()),
        }
    }
}
