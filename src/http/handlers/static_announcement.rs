//! `/v1/announcement/static`: services that are posted once and stay until they are deleted.

use super::service::look_up;
use crate::http::audit_events::{RequestedChange, WriteClient};
use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::metrics::WriteKind;
use crate::http::request::airlift_compat::{JSON, NO_SNIFF};
use crate::http::request::body::{json_encoding, read};
use crate::http::request::content_negotiation::accepts_json;
use crate::http::request::query::Asked;
use crate::http::state::{App, QUORATE_INDEX, acknowledged};
use crate::model::{Lookup, MAX_LOCATION_BYTES, StaticService, client_address, random_uuid};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

/// Handles `GET`: responds with only the static services.
pub(in crate::http) async fn list<D: Backend>(
    State(app): State<App<D>>,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    look_up(&app, Lookup::Statics, asked, &headers).await
}

/// Handles `POST`: responds 201 with the service, its new id, and the location for deleting it.
pub(in crate::http) async fn add<D: Backend>(
    State(app): State<App<D>>,
    Extension(client): Extension<WriteClient>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, ApiError> {
    let encoding = json_encoding(&headers, &body)?;
    if !accepts_json(&headers) {
        return Err(ApiError::NotAcceptable);
    }
    let body = read(&headers, body, encoding, app.body_limits()).await?;
    let service = StaticService::from_json(&random_id()?, &body, &app.settings.environment)
        .map_err(|error| ApiError::BadRequest(error.to_string()))?;
    let location_bytes = service.location.len();
    if location_bytes > MAX_LOCATION_BYTES {
        return Err(ApiError::BadRequest(format!(
            "location has {location_bytes} bytes; the limit is {MAX_LOCATION_BYTES}"
        )));
    }
    let location = location(&uri, &headers, client.connection_info.is_https, &service.id);
    let created = service.to_json();
    let id = service.id.clone();
    let environment = &app.settings.environment;
    let route = "POST /v1/announcement/static";
    let change = RequestedChange::new(&client, route, &id, environment);
    let write = app.write(
        |_| WriteKind::Static,
        &client.connection_info,
        |deadline| app.backend.add_static(service, deadline),
    );
    let index = change.made_by(write).await?;
    let fixed = HeaderValue::from_static;
    let headers = [
        (CONTENT_TYPE, fixed(JSON)),
        (LOCATION, location),
        (QUORATE_INDEX, HeaderValue::from(index)),
        NO_SNIFF,
    ];
    Ok((StatusCode::CREATED, headers, created))
}

/// Handles `DELETE`: responds 204 once the service is deleted, even if it was not known.
pub(in crate::http) async fn remove<D: Backend>(
    State(app): State<App<D>>,
    Extension(client): Extension<WriteClient>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let environment = &app.settings.environment;
    let route = "DELETE /v1/announcement/static/{id}";
    let change = RequestedChange::new(&client, route, &id, environment);
    let write = app.write(
        |_| WriteKind::Static,
        &client.connection_info,
        |deadline| app.backend.remove_static(id.clone(), deadline),
    );
    let index = change.made_by(write).await?;
    Ok(acknowledged(StatusCode::NO_CONTENT, index))
}

/// Returns a random id. The id is drawn here and not in the registry, because all nodes must
/// compute the same state.
fn random_id() -> Result<String, ApiError> {
    random_uuid().map_err(|error| ApiError::Internal(error.to_string()))
}

/// Returns the `Location` of a new static service. As in airlift, it begins with the address to
/// which the client sent the request. Nothing else in a successful response depends on `Host`.
/// Without a valid authority, returns only the path, which is equivalent.
fn location(uri: &Uri, headers: &HeaderMap, is_https: bool, id: &str) -> HeaderValue {
    let path = format!("/v1/announcement/static/{id}");
    let scheme = if is_https { "https" } else { "http" };
    let host = || headers.get(HOST)?.to_str().ok();
    let absolute = uri
        .authority()
        .map(Authority::as_str)
        .or_else(host)
        .and_then(|authority| client_address(&format!("{scheme}://{authority}")).ok())
        .map(|address| format!("{address}{path}"));
    let header = |text: &str| HeaderValue::from_str(text).ok();
    absolute
        .as_deref()
        .and_then(header)
        .or_else(|| header(&path))
        .unwrap_or(HeaderValue::from_static("/v1/announcement/static"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Location` is absolute if the client named a valid host, and only a path otherwise.
    #[test]
    fn location_uses_host() {
        let headers = |host| HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
        let path = Uri::from_static("/v1/announcement/static");
        assert_eq!(
            location(&path, &headers("h:8411"), false, "7"),
            "http://h:8411/v1/announcement/static/7"
        );
        assert_eq!(
            location(&path, &headers("h:8411"), true, "7"),
            "https://h:8411/v1/announcement/static/7"
        );
        assert_eq!(
            location(&path, &headers("[::1]:8411"), false, "7"),
            "http://[::1]:8411/v1/announcement/static/7"
        );
        for bad in ["a b", "u@h", "h:99999", "h:", "h?", "::1", ""] {
            assert_eq!(
                location(&path, &headers(bad), false, "7"),
                "/v1/announcement/static/7",
                "{bad}"
            );
        }
        assert_eq!(
            location(&path, &HeaderMap::new(), false, "7"),
            "/v1/announcement/static/7"
        );
        let absolute = Uri::from_static("http://p:1/v1/announcement/static");
        assert_eq!(
            location(&absolute, &headers("h:8411"), false, "7"),
            "http://p:1/v1/announcement/static/7"
        );
    }

    /// Ids are version 4 UUIDs and differ.
    #[test]
    fn ids_are_random_uuids() {
        let ids = [random_id().expect("random"), random_id().expect("random")];
        assert_ne!(ids[0], ids[1]);
        assert_eq!(
            uuid::Uuid::parse_str(&ids[0])
                .expect("a uuid")
                .get_version_num(),
            4
        );
    }
}
