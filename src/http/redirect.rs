//! The engine's own paths, which lead to its coordinator: SQL clients are pointed here and follow it wherever it goes.

use super::app::App;
use super::coordinator::{find, none};
use super::discovery::Discovery;
use super::errors::Refusal;
use crate::model::CoordinatorQuery;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode, Uri};

/// `POST /v1/statement`, `GET /v1/info` (which PrestoSQL's JDBC driver asks for the version), `GET /` and `GET /ui...`: 307,
/// which keeps method and body.
pub(super) async fn to_coordinator<D: Discovery>(
    State(app): State<App<D>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let query = CoordinatorQuery::default();
    let (found, _) = find(&app, &query).await?;
    let Some(coordinator) = found.first() else {
        return Err(Refusal::Unavailable(none(&query)));
    };
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let location = HeaderValue::try_from(format!("{}{target}", coordinator.uri)).map_err(|_| {
        Refusal::Unavailable(format!(
            "The coordinator announces an address that is none: {}",
            coordinator.uri
        ))
    })?;
    let headers = [
        (LOCATION, location),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}
