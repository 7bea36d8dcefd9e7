//! `/v1/announcement/{node_id}`: what a node announces of itself.

use super::app::{App, Origin, acknowledged};
use super::body::{json_encoding, read};
use super::discovery::Discovery;
use super::errors::Refusal;
use crate::model::{Announcement, check_name};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::{Extension, http::HeaderMap};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};

/// `PUT`: 202 once the announcement is committed and applied.
pub(super) async fn announce<D: Discovery>(
    State(app): State<App<D>>,
    Extension(origin): Extension<Origin>,
    Path(node_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Refusal> {
    let encoding = json_encoding(&headers, &body)?;
    let body = read(
        &headers,
        body,
        encoding,
        app.settings.max_announcement_bytes,
    )
    .await?;
    let announcement = Announcement::from_json(&node_id, &body, &app.settings.environment)
        .map_err(|error| Refusal::BadRequest(error.to_string()))?;
    let index = app
        .write(origin, |deadline| {
            app.discovery.announce(announcement, deadline)
        })
        .await?;
    let mut response = acknowledged(StatusCode::ACCEPTED, index).into_response();
    if let Some(seconds) = app.settings.announce_interval_s
        && let Ok(value) = HeaderValue::try_from(format!("max-age={seconds}"))
    {
        // airlift's client announces again after 0.8 of it.
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    Ok(response)
}

/// `DELETE`: 204 once the node's withdrawal is committed and applied, whether it was known or not.
pub(super) async fn withdraw<D: Discovery>(
    State(app): State<App<D>>,
    Extension(origin): Extension<Origin>,
    Path(node_id): Path<String>,
) -> Result<impl IntoResponse, Refusal> {
    check_name("node id", &node_id).map_err(|error| Refusal::BadRequest(error.to_string()))?;
    let index = app
        .write(origin, |deadline| app.discovery.withdraw(node_id, deadline))
        .await?;
    Ok(acknowledged(StatusCode::NO_CONTENT, index))
}
