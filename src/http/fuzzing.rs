//! Entry points for fuzzing: the HTTP server without sockets, in front of a bare registry, and the
//! first bytes of a connection.

pub use super::connection::first_bytes;
use super::connection_limiter::ConnectionLimiter;
use super::fake_backend::FakeBackend;
use super::service::RootService;
use super::settings::HttpSettings;
use super::state::{AppState, ConnectionInfo};
use crate::clock::PauseDetector;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::sync::watch;

/// The HTTP server without sockets: everything that a complete request passes through. Requires a
/// tokio runtime.
pub struct Wire {
    service: RootService<FakeBackend>,
    limiter: ConnectionLimiter,
    pause_detector: PauseDetector,
    _stop: watch::Sender<bool>,
}

impl Wire {
    /// Starts the server with an empty registry of environment `test`. The hold time is 0, so that
    /// no lookup waits.
    pub fn start() -> Wire {
        let settings = HttpSettings {
            hold_time_ms: 0,
            ..HttpSettings::new("test")
        };
        let limiter = ConnectionLimiter::new(
            settings.max_connections,
            settings.max_connections_per_address,
        );
        let pause_detector = PauseDetector::start_simulated();
        let (stop, stopping) = watch::channel(false);
        Wire {
            service: RootService::new(AppState::shared(
                FakeBackend::new(),
                settings,
                pause_detector.clone(),
                stopping,
            )),
            limiter,
            pause_detector,
            _stop: stop,
        }
    }

    /// Returns the response to a request, or `None` if the limiter has no permit for the request's
    /// connection.
    pub async fn answer(&self, request: Request<Body>) -> Option<Response> {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
        let connection_info = ConnectionInfo {
            address,
            is_https: false,
            certificate: None,
            opened_epoch: self.pause_detector.epoch(),
        };
        let permit = self.limiter.acquire(address.ip()).ok()?;
        let answering = self.service.answer(connection_info, permit, request);
        Some(answering.response.await)
    }
}
