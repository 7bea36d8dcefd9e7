//! Redirects from the engine's own paths to the coordinator. SQL clients are configured with the
//! address of a quorate node, and follow the coordinator wherever it moves.

use super::coordinator::find;
use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::respond::rendered_coordinators::none;
use crate::http::state::{App, RequestTarget};
use crate::model::{CoordinatorQuery, Coordinators, Engine};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

/// Whether a canonical path redirects to the coordinator.
pub(in crate::http) fn leads_away(path: &str) -> bool {
    matches!(path, "/" | "/ui" | "/v1/info" | "/v1/statement") || path.starts_with("/ui/")
}

/// Handles `POST /v1/statement`, `GET /v1/info`, `GET /` and `GET /ui...`. Responds with 307, which
/// keeps the method and the body. PrestoSQL's JDBC driver requests `/v1/info` for the version.
///
/// If coordinators of both Presto and Trino are announced, a client is redirected to a coordinator
/// of its own engine ([`engine_of`]).
pub(in crate::http) async fn to_coordinator<D: Backend>(
    State(app): State<App<D>>,
    sent: Option<Extension<RequestTarget>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = CoordinatorQuery::default();
    let (Coordinators { found, unusable }, _) = find(&app, &query).await?;
    let wanted = engine_of(&headers);
    let of_its_engine = found
        .iter()
        .find(|coordinator| Some(coordinator.engine) == wanted);
    // Without a coordinator of the client's engine, the client is redirected to the first
    // coordinator of any engine, because Trino can be configured to accept the headers of Presto's
    // clients.
    let Some(coordinator) = of_its_engine.or(found.first()) else {
        return Err(ApiError::Unavailable(none(&query, &unusable)));
    };
    let uri = sent.map_or(uri, |Extension(RequestTarget(uri))| uri);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let location = HeaderValue::try_from(format!("{}{target}", coordinator.uri))
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    let headers = [
        (LOCATION, location),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

/// Returns the client's engine, or `None` if no header names an engine. `X-Trino-User`, for
/// example, names Trino.
fn engine_of(headers: &HeaderMap) -> Option<Engine> {
    headers.keys().find_map(|name| {
        let name = name.as_str().strip_prefix("x-")?;
        let (engine, _) = name.split_once('-')?;
        Engine::of_name(engine)
    })
}
