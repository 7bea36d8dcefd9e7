//! The state that all handlers share, and the deadlines of their cluster calls.

use super::authentication::{ClientCertificate, EngineCheck, PersonCheck};
use super::backend::Backend;
use super::error::ApiError;
use super::limited_log::{LimitedLog, REFUSED};
use super::metrics::{HttpMetrics, WriteKind};
use super::request::body::BodyLimits;
use super::request::body_budget::Budget;
use super::request::body_cache::BodyCache;
use super::respond::rendered_coordinators::RenderedCoordinators;
use super::settings::HttpSettings;
use super::usage::WireUsage;
use crate::clock::{Instant, PauseDetector, now};
use crate::raft::{Unavailable, WriteError};
use axum::response::IntoResponse;
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The header with the log index at which a lookup was read or a write was applied.
pub const QUORATE_INDEX: HeaderName = HeaderName::from_static("quorate-index");

/// Maximum time to wait for the cluster before responding 503. The documented limit is 2 s from the
/// client's call. The difference leaves time for the network and for a busy machine.
const ANSWER_TIME: Duration = Duration::from_millis(1_800);

/// Maximum number of large lookups rendered at once. Each rendering occupies a processor, and as
/// much memory as its body.
const LARGE_AT_ONCE_MAX: usize = 2;

/// Minimum number of maximum-size bodies that fit the body budget, even if a smaller budget is
/// configured.
const BODIES_MIN: usize = 8;

/// A shared handle of the state of all handlers.
pub(super) type App<D> = Arc<AppState<D>>;

/// The state that all handlers share.
pub(super) struct AppState<D> {
    pub(super) backend: D,
    pub(super) settings: Arc<HttpSettings>,
    pub(super) pause_detector: PauseDetector,
    pub(super) bodies: BodyCache,
    /// The budget for request bodies that are being read, or whose writes are in progress.
    body_budget: Budget,
    pub(super) coordinators: RenderedCoordinators,
    /// The log of refused clients.
    pub(super) refusals: LimitedLog,
    /// The counts and durations of requests.
    pub(super) metrics: HttpMetrics,
    /// The check of engines that announce themselves.
    pub(super) engines: EngineCheck,
    /// The check of people and tools.
    pub(super) people: PersonCheck,
    /// Permits for rendering large lookups.
    pub(super) large: Arc<Semaphore>,
    /// Held by the scrape of the metrics that is running.
    pub(super) scrapes: tokio::sync::Mutex<()>,
    /// Permits for lookups that are held until their result changes.
    pub(super) holds: Semaphore,
    /// Permits for event streams, and for lookups that wait for an index (`?index=`).
    pub(super) watchers: Arc<Semaphore>,
    /// A flag that becomes true when the server stops.
    pub(super) stop: watch::Receiver<bool>,
}

/// The identity of a request's connection. It is an extension (`http::Extensions`) of each request
/// that goes through the router.
#[derive(Debug, Clone)]
pub(super) struct ConnectionInfo {
    /// The client's address.
    pub(super) address: SocketAddr,
    /// Whether the client connected to the port for HTTPS.
    pub(super) is_https: bool,
    /// The client's certificate, if it has shown one.
    pub(super) certificate: Option<Arc<ClientCertificate>>,
    /// The earliest `PauseDetector` epoch (count of suspensions) in which the connection can have
    /// been opened. This is the epoch in which the accept backlog was last empty before the
    /// connection was accepted.
    pub(super) opened_epoch: u64,
}

/// The request target as the client sent it. Each request whose path was not canonical has this
/// extension (`http::Extensions`).
#[derive(Debug, Clone)]
pub(super) struct RequestTarget(pub(super) Uri);

/// Returns the deadline of the cluster call for a request that has just arrived in full.
pub(super) fn deadline() -> Instant {
    now() + ANSWER_TIME
}

/// Waits until the server stops. If the sender of the flag was dropped, the server has already
/// ended, which counts as stopped.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl<D: Backend> AppState<D> {
    /// Creates the state of a server with these settings.
    pub(super) fn shared(
        backend: D,
        settings: HttpSettings,
        pause_detector: PauseDetector,
        stop: watch::Receiver<bool>,
    ) -> App<D> {
        let bodies_at_least = BODIES_MIN * settings.max_announcement_bytes;
        let body_budget = Budget::new(settings.max_pending_body_bytes.max(bodies_at_least));
        Arc::new(AppState {
            backend,
            engines: EngineCheck::new(settings.engines.clone()),
            people: PersonCheck::new(settings.access_tokens.clone()),
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE_MAX)),
            scrapes: tokio::sync::Mutex::default(),
            holds: Semaphore::new(settings.max_waiting),
            watchers: Arc::new(Semaphore::new(settings.max_waiting)),
            settings: Arc::new(settings),
            pause_detector,
            bodies: BodyCache::new(),
            body_budget,
            coordinators: RenderedCoordinators::new(),
            refusals: LimitedLog::new(REFUSED),
            metrics: HttpMetrics::new(),
            stop,
        })
    }

    /// Reserves a permit for an event stream.
    ///
    /// # Errors
    /// Fails if all permits are taken.
    pub(super) fn watcher(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.watchers
            .clone()
            .try_acquire_owned()
            .map_err(|_| ApiError::TooManyWatchers)
    }

    /// Returns the limits for reading a request body.
    pub(super) fn body_limits(&self) -> BodyLimits<'_> {
        BodyLimits {
            max_bytes: self.settings.max_announcement_bytes,
            budget: &self.body_budget,
        }
    }

    /// Returns the usage of the limited resources. `connections` is the number of open connections,
    /// which the caller counts.
    pub(super) fn usage(&self, connections: usize) -> WireUsage {
        let waiting_max = self.settings.max_waiting;
        let taken = |limiter: &Semaphore| waiting_max.saturating_sub(limiter.available_permits());
        WireUsage {
            connections,
            connections_max: self.settings.max_connections,
            held_lookups: taken(&self.holds),
            watchers: taken(&self.watchers),
            waiting_max,
        }
    }

    /// Waits until the server stops.
    pub(super) async fn stopping(&self) {
        stopped(&mut self.stop.clone()).await;
    }

    /// Runs a write for a request on the connection `connection_info`. Counts it as of the kind
    /// that `kind` returns afterwards, given whether the write was acknowledged. There is no
    /// timeout here, because the write completes by its deadline ([`Backend`]).
    ///
    /// Must be called after the body is read, because the process may be suspended while the body
    /// arrives.
    ///
    /// # Errors
    /// Fails with [`ApiError::ProcessResumed`], before anything is proposed, if the process was
    /// suspended since the connection was opened.
    pub(super) async fn write<F>(
        &self,
        kind: impl FnOnce(bool) -> WriteKind,
        connection_info: &ConnectionInfo,
        write: impl FnOnce(Instant) -> F,
    ) -> Result<u64, ApiError>
    where
        F: Future<Output = Result<u64, WriteError>>,
    {
        // The deadline is taken before the check, so that a suspension between these two steps
        // counts against the deadline.
        let began = now();
        let deadline = began + ANSWER_TIME;
        if !self.pause_detector.is_current(connection_info.opened_epoch) {
            return Err(ApiError::ProcessResumed);
        }
        let outcome = write(deadline).await.map_err(ApiError::from);
        let took = now().duration_since(began);
        self.metrics
            .count_write(kind(outcome.is_ok()), &outcome, took);
        outcome
    }

    /// Runs a lookup. There is no timeout here, because the lookup completes by its deadline
    /// ([`Backend`]).
    ///
    /// # Errors
    /// Fails if the cluster does not respond in time, or reports why it cannot serve the lookup.
    pub(super) async fn read<T, F>(&self, read: impl FnOnce(Instant) -> F) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, Unavailable>>,
    {
        Ok(read(deadline()).await?)
    }
}

/// Returns the response to an acknowledged write.
pub(super) fn acknowledged(status: StatusCode, index: u64) -> impl IntoResponse {
    (status, [(QUORATE_INDEX, HeaderValue::from(index))])
}
