//! What every handler has at hand, and the time limits of what it asks of the cluster.

use super::backend::Discovery;
use super::error::Refusal;
use super::request::body::BodyLimits;
use super::request::body_budget::Budget;
use super::request::body_cache::KnownBodies;
use super::respond::rendered_coordinators::RenderedCoordinators;
use super::settings::HttpSettings;
use super::usage::WireUsage;
use crate::clock::{Beat, Instant, now};
use crate::raft::{Unavailable, WriteError};
use axum::response::IntoResponse;
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The log index that a lookup saw or a write made.
pub const QUORATE_INDEX: HeaderName = HeaderName::from_static("quorate-index");

/// How long the cluster is asked before a request is answered 503. The promise is 2 s from the call; the rest is for
/// the way there and back, and for a busy machine.
const ANSWER_TIME: Duration = Duration::from_millis(1_800);

/// Maximum number of large lookups rendered at once. Each takes a processor, and as much memory as
/// its body.
const LARGE_AT_ONCE_MAX: usize = 2;

/// There is room for this many of the largest bodies at least.
const BODIES_MIN: usize = 8;

/// The state of every handler; they share it.
pub(super) type App<D> = Arc<AppState<D>>;

pub(super) struct AppState<D> {
    pub(super) discovery: D,
    pub(super) settings: Arc<HttpSettings>,
    pub(super) beat: Beat,
    pub(super) bodies: KnownBodies,
    /// Room for the bodies that are read and whose writes are under way.
    body_budget: Budget,
    pub(super) coordinators: RenderedCoordinators,
    /// Places of large lookups that are being made.
    pub(super) large: Arc<Semaphore>,
    /// Places of lookups that are held.
    pub(super) holds: Semaphore,
    /// Places of clients that watch, or wait for an index.
    pub(super) watchers: Arc<Semaphore>,
    /// The server stops.
    pub(super) stop: watch::Receiver<bool>,
}

/// What a request's connection is known by; an extension of each request that is routed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// Who opened it.
    pub(super) address: SocketAddr,
    /// The beat's epoch when it was opened, at the latest.
    pub(super) opened_epoch: u64,
}

/// The target of a request as the client sent it, if its path was not canonical; an extension of
/// the request.
#[derive(Debug, Clone)]
pub(super) struct TargetAsSent(pub(super) Uri);

/// The time until which the cluster may answer a request that has just arrived whole.
pub(super) fn deadline() -> Instant {
    now() + ANSWER_TIME
}

/// Ends when the server stops. An error is a server that is gone, which is an end too.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl<D: Discovery> AppState<D> {
    pub(super) fn shared(
        discovery: D,
        settings: HttpSettings,
        beat: Beat,
        stop: watch::Receiver<bool>,
    ) -> App<D> {
        let bodies_at_least = BODIES_MIN * settings.max_announcement_bytes;
        let body_budget = Budget::new(settings.max_pending_body_bytes.max(bodies_at_least));
        Arc::new(AppState {
            discovery,
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE_MAX)),
            holds: Semaphore::new(settings.max_waiting),
            watchers: Arc::new(Semaphore::new(settings.max_waiting)),
            settings: Arc::new(settings),
            beat,
            bodies: KnownBodies::new(),
            body_budget,
            coordinators: RenderedCoordinators::new(),
            stop,
        })
    }

    /// A place for a client that watches.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn watcher(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.watchers
            .clone()
            .try_acquire_owned()
            .map_err(|_| Refusal::TooManyWatchers)
    }

    /// How much of a request body is read.
    pub(super) fn body_limits(&self) -> BodyLimits<'_> {
        BodyLimits {
            max_bytes: self.settings.max_announcement_bytes,
            budget: &self.body_budget,
        }
    }

    /// What is in use, beside so many connections.
    pub(super) fn usage(&self, connections: usize) -> WireUsage {
        let waiting_max = self.settings.max_waiting;
        let taken = |places: &Semaphore| waiting_max.saturating_sub(places.available_permits());
        WireUsage {
            connections,
            connections_max: self.settings.max_connections,
            held_lookups: taken(&self.holds),
            watchers: taken(&self.watchers),
            waiting_max,
        }
    }

    /// Ends when the server stops.
    pub(super) async fn stopping(&self) {
        stopped(&mut self.stop.clone()).await;
    }

    /// Runs a write of a request that came over the connection `origin`. It ends by itself ([`Discovery`]).
    ///
    /// # Errors
    /// [`Refusal::Woken`], before anything is proposed, when the process was stopped since the connection was opened:
    /// asked here, after the body was read, because the stop may have been while it came.
    pub(super) async fn write<F>(
        &self,
        origin: Origin,
        write: impl FnOnce(Instant) -> F,
    ) -> Result<u64, Refusal>
    where
        F: Future<Output = Result<u64, WriteError>>,
    {
        // Before the question: a stop between the two then counts as time that the client waits.
        let deadline = deadline();
        if !self.beat.awake(origin.opened_epoch) {
            return Err(Refusal::Woken);
        }
        Ok(write(deadline).await?)
    }

    /// Runs a lookup. It ends by itself ([`Discovery`]).
    ///
    /// # Errors
    /// When the cluster does not answer in time, or says why it cannot.
    pub(super) async fn read<T, F>(&self, read: impl FnOnce(Instant) -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Unavailable>>,
    {
        Ok(read(deadline()).await?)
    }
}

/// The answer to an acknowledged write.
pub(super) fn acknowledged(status: StatusCode, index: u64) -> impl IntoResponse {
    (status, [(QUORATE_INDEX, HeaderValue::from(index))])
}
