//! The settings of the HTTP server.

use super::authentication::EngineSecurity;
use super::usage::UsageGauge;
use crate::metrics::DiskMetrics;
use crate::security::AccessTokens;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::watch;

/// Default time after which an idle connection is parked. The buffers of a parked connection are
/// released until its next request. Most clients send one request every few seconds.
const PARKED_AFTER: Duration = Duration::from_secs(1);

/// `discovery.coordinator-choice`: the coordinator to return when there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoordinatorChoice {
    /// The coordinator that joined last. A killed coordinator stays listed until max-age has
    /// passed, and clients must reach its replacement before that.
    Newest,
    /// The coordinator that joined first, for operators who run several coordinators on purpose.
    Oldest,
}

/// The settings of the HTTP server.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// `node.environment`: the environment that an announcement must name.
    pub environment: String,
    /// `discovery.max-announcement-size`: maximum body size, both as received and decompressed.
    pub max_announcement_bytes: usize,
    /// Maximum total size in bytes of the request bodies that are being read or whose writes are in
    /// progress. If the value is less than the size of eight maximum-size bodies, that size is
    /// used.
    pub max_pending_body_bytes: usize,
    /// Maximum size in bytes of the request target, and separately of all headers together.
    pub max_header_bytes: usize,
    /// Like [`HttpSettings::max_header_bytes`], for the paths that redirect to the coordinator.
    /// This limit is larger, because an engine's clients send prepared statements in headers.
    pub max_redirected_header_bytes: usize,
    /// Maximum number of connections. The server lowers it to the number that the process's file
    /// descriptors allow.
    pub max_connections: usize,
    /// Maximum number of connections from one address that have not yet sent a whole request.
    pub max_connections_per_address: usize,
    /// `discovery.hold-time`: maximum time to hold a lookup whose current result the client already
    /// has; 0 disables holding.
    pub hold_time_ms: u64,
    /// `discovery.announce-interval`: time in seconds until a client's next announcement, which the
    /// response to each announcement states as `max-age`. With `None`, no `max-age` is sent.
    pub announce_interval_s: Option<u64>,
    /// `discovery.coordinator-choice`
    pub coordinator_choice: CoordinatorChoice,
    /// `discovery.coordinator-redirect`: whether the engine's own paths redirect to its
    /// coordinator.
    pub coordinator_redirect: bool,
    /// Maximum number of held lookups, and separately of clients that watch or wait for an index.
    pub max_waiting: usize,
    /// Time without activity between two requests after which a connection is parked.
    pub parked_after: Duration,
    /// The proof that engines give when they announce or withdraw themselves.
    pub engines: EngineSecurity,
    /// The tokens of people and tools (`cluster.tokens-file`). With them, changes of static
    /// announcements need a token.
    pub access_tokens: Option<watch::Receiver<Arc<AccessTokens>>>,
    /// `discovery.read-authentication=require`: whether clients must prove who they are when they
    /// look services up.
    pub reads_need_proof: bool,
    /// A flag that is set when the process is about to stop, so that `/v1/cluster/ready` fails
    /// before the first connection is refused.
    pub leaving: Arc<AtomicBool>,
    /// The usage gauge, filled once the HTTP server runs.
    pub usage: UsageGauge,
    /// The durations of the disk's syncs, for the metrics.
    pub disk: DiskMetrics,
}

impl HttpSettings {
    /// Sets `http-server.max-request-header-size`, for all paths.
    pub fn set_max_header_bytes(&mut self, bytes: usize) {
        self.max_header_bytes = bytes;
        self.max_redirected_header_bytes = bytes;
    }

    /// Returns the larger of `max_header_bytes` and `max_redirected_header_bytes`, which no
    /// request's target or headers may exceed.
    pub(crate) fn max_head_bytes(&self) -> usize {
        self.max_header_bytes.max(self.max_redirected_header_bytes)
    }

    /// Returns the default settings for an environment.
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
            engines: EngineSecurity::Off,
            access_tokens: None,
            reads_need_proof: false,
            leaving: Arc::new(AtomicBool::new(false)),
            usage: UsageGauge::default(),
            disk: DiskMetrics::default(),
        }
    }
}
