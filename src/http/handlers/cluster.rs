//! `/v1/cluster`: the cluster's own endpoints, for operators, monitoring and peers.

use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::request::airlift_compat::{JSON, NO_SNIFF};
use crate::http::state::{App, ConnectionInfo};
use crate::raft::{PeerProof, SecurityStatus};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderValue, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::atomic::Ordering;

/// The path at which a peer opens its connection.
pub(in crate::http) const PEER_PATH: &str = "/v1/cluster/peer";

/// The name of the server-to-server protocol in `Upgrade`.
const PEER_PROTOCOL: &str = "quorate-peer/1";

/// Handles `GET /v1/cluster/status`: always responds 200, with the status as this node sees it.
pub(in crate::http) async fn status<D: Backend>(
    State(app): State<App<D>>,
) -> Result<Response, ApiError> {
    let mut status = app.backend.status();
    status.security = match (app.backend.accepts_plain_peers(), app.engines.is_required()) {
        (false, true) => SecurityStatus::Required,
        (true, _) if status.security == SecurityStatus::None && app.engines.is_off() => {
            SecurityStatus::None
        }
        _ => SecurityStatus::Partial,
    };
    let json =
        serde_json::to_vec(&status).map_err(|error| ApiError::Internal(error.to_string()))?;
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(JSON)), NO_SNIFF];
    Ok((headers, json).into_response())
}

/// Handles `GET /v1/cluster/ready`: responds 200 if this node serves and is not about to stop,
/// otherwise 503 with the reason.
pub(in crate::http) async fn ready<D: Backend>(
    State(app): State<App<D>>,
) -> Result<&'static str, ApiError> {
    if app.settings.leaving.load(Ordering::Relaxed) {
        return Err(ApiError::Unavailable("This node is stopping".to_owned()));
    }
    app.backend.ready()?;
    Ok("ready\n")
}

/// Handles `GET /v1/cluster/peer` with `Upgrade: quorate-peer/1`: responds 101, after which the
/// connection carries the peer protocol.
pub(in crate::http) async fn peer<D: Backend>(
    State(app): State<App<D>>,
    Extension(connection_info): Extension<ConnectionInfo>,
    mut request: Request,
) -> Result<Response, ApiError> {
    if !asks_for_peer_protocol(&request) {
        return Err(ApiError::UpgradeRequired(PEER_PROTOCOL));
    }
    // The permit is kept until the peer's connection ends, so that the connection counts against
    // the limit.
    let permit = request
        .extensions_mut()
        .remove::<crate::http::connection_limiter::ConnectionPermit>();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let (io, epoch) = (TokioIo::new(upgraded), connection_info.opened_epoch);
                app.backend.serve_peer(io, PeerProof::Plain, epoch).await
            }
            Err(error) => {
                tracing::debug!(
                    target: "quorate::http::cluster",
                    %error,
                    address = %connection_info.address,
                    "a peer's connection was not upgraded"
                )
            }
        }
        drop(permit);
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response
        .headers_mut()
        .insert(UPGRADE, HeaderValue::from_static(PEER_PROTOCOL));
    Ok(response)
}

/// Whether the request names the peer protocol and its connection can be upgraded, which is not
/// possible on HTTP/2 or without `Connection: Upgrade`.
fn asks_for_peer_protocol(request: &Request) -> bool {
    let names_it = |value: &HeaderValue| {
        value
            .as_bytes()
            .eq_ignore_ascii_case(PEER_PROTOCOL.as_bytes())
    };
    // The router passes HEAD too, whose response could not switch protocols.
    request.method() == Method::GET
        && request.headers().get(UPGRADE).is_some_and(names_it)
        && request.extensions().get::<OnUpgrade>().is_some()
}
