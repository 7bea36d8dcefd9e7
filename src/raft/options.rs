//! The settings with which a node is started.

use super::transport::{Dial, Dialer, PeerSecurity};
use crate::clock::PauseDetector;
use crate::model::Inventory;
use crate::storage::Store;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The settings of one node that consensus needs.
#[derive(Clone)]
pub struct Options {
    /// This node's `node.id`.
    pub node_id: String,
    /// This node's environment, which is a part of the cluster's identity.
    pub environment: String,
    /// The address at which peers reach this node: `http://host:port`.
    pub address: String,
    /// Local address from which peers are dialed, where possible.
    pub bind: Option<IpAddr>,
    /// The proof of identity that this node gives to its peers and demands from them. Connections
    /// that are made by `dial` carry no proof.
    pub security: PeerSecurity,
    /// The network on which peers are dialed; `None`: TCP and HTTP. A simulation supplies its own
    /// network.
    pub dial: Option<Arc<dyn Dial>>,
    /// The nodes that form the group, and the addresses of its members. `None` for a cluster of
    /// one, or for a member that could not read its inventory.
    pub inventory: Option<Inventory>,
    /// `discovery.max-age`: minimum time that an announcement lives after its last renewal.
    pub max_age: Duration,
    /// `discovery.recovery-gap`: minimum time without a working leader that counts as an outage.
    pub recovery_gap: Duration,
    /// `discovery.recovery-grace`: time after an outage during which nothing expires.
    pub recovery_grace: Duration,
    /// `cluster.auto-rejoin`: whether an emptied node replaces its old incarnation automatically.
    pub auto_rejoin: bool,
    /// `cluster.heartbeat-interval`: interval of the leader's heartbeats.
    pub heartbeat: Duration,
    /// `cluster.election-timeout`: lower and upper bound of the time without a heartbeat before a
    /// node asks for an election.
    pub election: (Duration, Duration),
    /// Limits of the retained log.
    pub log_limits: LogRetention,
    /// The opened data directory.
    pub store: Store,
    /// Detects that this process was paused.
    pub pause_detector: PauseDetector,
}

/// Limits of the retained log, in bytes of its records.
///
/// They limit the duration of a start. With 100,000 services, 100 per node, one core applies about
/// 35 MB of changes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRetention {
    /// Size by which the log grows between two snapshots. It limits the part of the log that a
    /// start applies.
    pub snapshot_every_bytes: u64,
    /// Size above which the log is purged. It limits the part of the log that a start reads.
    /// Entries that no snapshot covers are not purged, so the log may exceed this size while a
    /// snapshot is made.
    pub max_bytes: u64,
    /// Size of the recent part of the log that a purge keeps for nodes that were away briefly, so
    /// that these nodes need no snapshot.
    pub kept_bytes: u64,
}

impl Default for LogRetention {
    fn default() -> LogRetention {
        LogRetention {
            snapshot_every_bytes: 64 << 20,
            max_bytes: 96 << 20,
            kept_bytes: 32 << 20,
        }
    }
}

impl Options {
    /// Returns the dialer for this node's peers.
    pub(super) fn dialer(&self) -> Dialer {
        match &self.dial {
            None => Dialer::tcp(self.bind, self.security.clone()),
            Some(dial) => Dialer::Own(dial.clone()),
        }
    }
}
