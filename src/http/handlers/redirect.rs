//! The engine's own paths, which lead to its coordinator: SQL clients are pointed here and follow it wherever it goes.

use super::coordinator::find;
use crate::http::backend::Discovery;
use crate::http::error::Refusal;
use crate::http::respond::rendered_coordinators::none;
use crate::http::state::{App, TargetAsSent};
use crate::model::{CoordinatorQuery, Coordinators, Engine};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

/// Whether a canonical path is one that leads to the coordinator.
pub(in crate::http) fn leads_away(path: &str) -> bool {
    matches!(path, "/" | "/ui" | "/v1/info" | "/v1/statement") || path.starts_with("/ui/")
}

/// `POST /v1/statement`, `GET /v1/info` (which PrestoSQL's JDBC driver asks for the version), `GET /` and `GET /ui...`: 307,
/// which keeps method and body.
///
/// A client of one engine is led to that engine where both are announced: it says which by its headers.
pub(in crate::http) async fn to_coordinator<D: Discovery>(
    State(app): State<App<D>>,
    sent: Option<Extension<TargetAsSent>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = CoordinatorQuery::default();
    let (Coordinators { found, unusable }, _) = find(&app, &query).await?;
    let wanted = engine_of(&headers);
    let of_its_engine = found
        .iter()
        .find(|coordinator| Some(coordinator.engine) == wanted);
    // Trino takes the headers of Presto's clients where it is told to.
    let Some(coordinator) = of_its_engine.or(found.first()) else {
        return Err(Refusal::Unavailable(none(&query, &unusable)));
    };
    let uri = sent.map_or(uri, |Extension(TargetAsSent(uri))| uri);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let location = HeaderValue::try_from(format!("{}{target}", coordinator.uri))
        .map_err(|error| Refusal::Internal(error.to_string()))?;
    let headers = [
        (LOCATION, location),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

fn engine_of(headers: &HeaderMap) -> Option<Engine> {
    headers.keys().find_map(|name| {
        let name = name.as_str().strip_prefix("x-")?;
        let (engine, _) = name.split_once('-')?;
        Engine::of_name(engine)
    })
}
