//! `/v1/cluster`: the cluster's own endpoints, for people, monitors and peers.

use crate::http::backend::Discovery;
use crate::http::error::Refusal;
use crate::http::request::airlift_compat::JSON;
use crate::http::state::{App, Origin};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderValue, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::atomic::Ordering;

/// Where a peer opens its connection.
pub(in crate::http) const PEER_PATH: &str = "/v1/cluster/peer";

/// The protocol of server-to-server connections, as `Upgrade` names it.
const PEER_PROTOCOL: &str = "quorate-peer/1";

/// `GET /v1/cluster/status`: 200 at all times, from what this node knows by itself.
pub(in crate::http) async fn status<D: Discovery>(
    State(app): State<App<D>>,
) -> Result<Response, Refusal> {
    let json = serde_json::to_vec(&app.discovery.status())
        .map_err(|error| Refusal::Internal(error.to_string()))?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(JSON))], json).into_response())
}

/// `GET /v1/cluster/ready`: 200 when this node serves and is not about to stop, else 503 with the reason.
pub(in crate::http) async fn ready<D: Discovery>(
    State(app): State<App<D>>,
) -> Result<&'static str, Refusal> {
    if app.settings.leaving.load(Ordering::Relaxed) {
        return Err(Refusal::Unavailable("This node is stopping".to_owned()));
    }
    app.discovery.ready().map_err(Refusal::Unavailable)?;
    Ok("ready\n")
}

/// `GET /v1/cluster/peer` with `Upgrade: quorate-peer/1`: 101, and the connection is the peer protocol's.
pub(in crate::http) async fn peer<D: Discovery>(
    State(app): State<App<D>>,
    Extension(origin): Extension<Origin>,
    mut request: Request,
) -> Result<Response, Refusal> {
    if !asks_for_peer_protocol(&request) {
        return Err(Refusal::UpgradeRequired(PEER_PROTOCOL));
    }
    // Held for as long as the connection is, so that it counts.
    let place = request
        .extensions_mut()
        .remove::<crate::http::connection_limiter::Place>();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                app.discovery
                    .serve_peer(TokioIo::new(upgraded), origin.opened_epoch)
                    .await
            }
            Err(error) => {
                tracing::debug!(target: "quorate::http::cluster", %error, address = %origin.address, "a peer's connection was not upgraded")
            }
        }
        drop(place);
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

/// Both by its header and in a way that the connection can be handed over (not on HTTP/2, nor without
/// `Connection: Upgrade`).
fn asks_for_peer_protocol(request: &Request) -> bool {
    let names_it = |value: &HeaderValue| {
        value
            .as_bytes()
            .eq_ignore_ascii_case(PEER_PROTOCOL.as_bytes())
    };
    request.headers().get(UPGRADE).is_some_and(names_it)
        && request.extensions().get::<OnUpgrade>().is_some()
}
