//! An entry point for fuzzing: the HTTP server without sockets, in front of a bare registry.

use super::connection_limiter::Places;
use super::fake_backend::Lone;
use super::service::Front;
use super::settings::HttpSettings;
use super::state::{AppState, Origin};
use crate::clock::PauseDetector;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::sync::watch;

/// The HTTP server without sockets: everything that a complete request passes through. Requires a
/// tokio runtime.
pub struct Wire {
    front: Front<Lone>,
    places: Places,
    beat: PauseDetector,
    _stop: watch::Sender<bool>,
}

impl Wire {
    /// Creates an empty registry of environment `test`. The hold time is 0, so that no lookup
    /// waits.
    pub fn start() -> Wire {
        let settings = HttpSettings {
            hold_time_ms: 0,
            ..HttpSettings::new("test")
        };
        let places = Places::new(
            settings.max_connections,
            settings.max_connections_per_address,
        );
        let beat = PauseDetector::start_simulated();
        let (stop, stopping) = watch::channel(false);
        Wire {
            front: Front::new(AppState::shared(
                Lone::new(),
                settings,
                beat.clone(),
                stopping,
            )),
            places,
            beat,
            _stop: stop,
        }
    }

    /// Returns the response to a request, or `None` if the limiter has no place for its connection.
    pub async fn answer(&self, request: Request<Body>) -> Option<Response> {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
        let origin = Origin {
            address,
            opened_epoch: self.beat.epoch(),
        };
        let place = self.places.take(address.ip()).ok()?;
        Some(self.front.answer(origin, place, request).await)
    }
}
