//! `/v1/announcement/{node_id}`: announces the services of a node, renews the announcement, and
//! withdraws it.

use crate::http::audit_events::{RequestedChange, WriteClient};
use crate::http::authentication::{Principal, check_certificate};
use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::metrics::WriteKind;
use crate::http::request::body::{json_encoding, read};
use crate::http::state::{App, acknowledged};
use crate::model::{Announcement, BadAnnouncement, check_name};
use crate::raft::RegisteredCheck;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, http::HeaderMap};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, Request, StatusCode};

/// Returns the node id of a `PUT` that takes the shortcut past the router. The shortcut is for
/// canonical paths with nothing to decode, which most requests have (see
/// [`super::service::direct_lookup`]). Returns `None` for all other requests. Renewals take the
/// shortcut too, because only [`put`] distinguishes renewals from announcements.
pub(in crate::http) fn direct_put(request: &Request<Body>) -> Option<String> {
    let node_id = request.uri().path().strip_prefix("/v1/announcement/")?;
    let is_plain = request.method() == Method::PUT
        && !node_id.contains(['%', '/'])
        // `/v1/announcement/static`, the path of the static services, does not support PUT.
        && node_id != "static";
    is_plain.then(|| node_id.to_owned())
}

/// Answers a `PUT` that takes the shortcut ([`direct_put`]).
pub(in crate::http) fn answer<D: Backend>(
    app: App<D>,
    client: WriteClient,
    node_id: String,
    request: Request<Body>,
) -> BoxFuture<'static, Response> {
    let (head, body) = request.into_parts();
    let headers = head.headers;
    let answered = async move { put(&app, &client, &node_id, &headers, body).await };
    answered.map(IntoResponse::into_response).boxed()
}

/// Handles a `PUT` that comes through the router: responds 202 once the announcement is committed
/// and applied.
pub(in crate::http) async fn announce<D: Backend>(
    State(app): State<App<D>>,
    Extension(client): Extension<WriteClient>,
    Path(node_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    put(&app, &client, &node_id, &headers, body).await
}

/// Proposes an announcement, or only its renewal if the registry already has the same announcement.
/// Responds 202 once the proposal is committed and applied. A cached body is parsed again only if
/// the registry does not have its announcement.
async fn put<D: Backend>(
    app: &App<D>,
    client: &WriteClient,
    node_id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let encoding = json_encoding(headers, &body)?;
    let body = read(headers, body, encoding, app.body_limits()).await?;
    let parse = || Announcement::from_json(node_id, &body, &app.settings.environment);
    let bad = |error: BadAnnouncement| ApiError::BadRequest(error.to_string());
    let hash = app.bodies.hash(node_id, &body);
    let (digest, mut announcement) = match app.bodies.digest(hash) {
        Some(digest) => (digest, None),
        None => {
            let announcement = parse().map_err(bad)?;
            let digest = announcement.digest();
            app.bodies.note(hash, digest);
            (digest, Some(announcement))
        }
    };
    // The certificate of a client is checked against each announcement, also against a renewal.
    let announced = match (&client.principal, &announcement) {
        (Principal::Certificate(_), None) => Some(parse().map_err(bad)?),
        (Principal::Certificate(_), announcement) => announcement.clone(),
        _ => None,
    };
    let environment = &app.settings.environment;
    let change = RequestedChange::new(
        client,
        "PUT /v1/announcement/{node_id}",
        node_id,
        environment,
    );
    // The whole announcement is needed only if it differs from the registered one.
    let whole = || {
        change.begin();
        announcement.take().map_or_else(parse, Ok)
    };
    let check = check_of(app, client, node_id, announced.as_ref());
    let check = check.as_ref().map(|check| check as RegisteredCheck<'_>);
    // A write that fails earlier may be a new announcement.
    let kind = |is_acknowledged| match is_acknowledged && !change.has_begun() {
        true => WriteKind::Renew,
        false => WriteKind::Announce,
    };
    let written = app
        .write(kind, &client.connection_info, |deadline| {
            app.backend
                .renew_or_announce(node_id, digest, whole, check, deadline)
        })
        .await;
    change.end(&written);
    let index = written?;
    let mut response = acknowledged(StatusCode::ACCEPTED, index).into_response();
    if let Some(seconds) = app.settings.announce_interval_s
        && let Ok(value) = HeaderValue::try_from(format!("max-age={seconds}"))
    {
        // airlift's client announces again after 0.8 of this time.
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    Ok(response)
}

/// Returns the check of a client whose proof is a certificate, or `None` if it has another proof or
/// needs none.
fn check_of<'a, D: Backend>(
    app: &'a App<D>,
    client: &'a WriteClient,
    node_id: &'a str,
    announced: Option<&'a Announcement>,
) -> Option<impl Fn(Option<&Announcement>) -> Result<(), String> + Send + Sync + 'a> {
    let Principal::Certificate(certificate) = &client.principal else {
        return None;
    };
    let connection_info = &client.connection_info;
    Some(move |registered: Option<&Announcement>| {
        check_certificate(
            app,
            connection_info,
            certificate,
            node_id,
            announced,
            registered,
        )
    })
}

/// Handles `DELETE`: responds 204 once the node's withdrawal is committed and applied, even if the
/// node was not known.
pub(in crate::http) async fn withdraw<D: Backend>(
    State(app): State<App<D>>,
    Extension(client): Extension<WriteClient>,
    Path(node_id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    check_name("node id", &node_id).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    let environment = &app.settings.environment;
    let route = "DELETE /v1/announcement/{node_id}";
    let change = RequestedChange::new(&client, route, &node_id, environment);
    let check = check_of(&app, &client, &node_id, None);
    let check = check.as_ref().map(|check| check as RegisteredCheck<'_>);
    let write = app.write(
        |_| WriteKind::Withdraw,
        &client.connection_info,
        |deadline| app.backend.withdraw(node_id.clone(), check, deadline),
    );
    let index = change.made_by(write).await?;
    Ok(acknowledged(StatusCode::NO_CONTENT, index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::PauseDetector;
    use crate::http::HttpSettings;
    use crate::http::fake_backend::FakeBackend;
    use crate::http::state::{AppState, ConnectionInfo};
    use tokio::sync::watch;

    const BODY: &str = r#"{"environment":"test","pool":"p","services":[]}"#;

    async fn put_by_n(app: &App<FakeBackend>, body: &'static str) -> Result<StatusCode, ApiError> {
        let client = WriteClient {
            connection_info: ConnectionInfo {
                address: ([127, 0, 0, 1], 1).into(),
                is_https: false,
                certificate: None,
                opened_epoch: app.pause_detector.epoch(),
            },
            principal: Principal::Anonymous,
        };
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, json)]);
        let answered = put(app, &client, "n", &headers, Body::from(body)).await;
        answered.map(|response| response.status())
    }

    /// An announcement that exceeds a limit is rejected with the name of the field, and is not
    /// registered.
    #[tokio::test]
    async fn what_is_over_a_limit_is_refused_by_name() {
        let (_stop, stopping) = watch::channel(false);
        let settings = HttpSettings::new("test");
        let app = AppState::shared(
            FakeBackend::new(),
            settings,
            PauseDetector::start(),
            stopping,
        );
        let services: Vec<String> = (0..4_097)
            .map(|i| format!(r#"{{"id":"{i}","type":"t","properties":{{}}}}"#))
            .collect();
        let services = services.join(",");
        let location = "l".repeat(1_025);
        for (location, services, line) in [
            (
                "/",
                &*services,
                "services has 4097 entries; the limit is 4096",
            ),
            (&*location, "", "location has 1025 bytes; the limit is 1024"),
        ] {
            let body = format!(
                r#"{{"environment":"test","pool":"p","location":"{location}",
                    "services":[{services}]}}"#
            );
            let refused = put_by_n(&app, body.leak()).await;
            assert_eq!(refused, Err(ApiError::BadRequest(line.to_owned())));
            assert!(!app.backend.lists("n"));
        }
    }

    /// A cached body is not parsed again while its announcement is registered. Once the
    /// announcement is withdrawn, the body is parsed again.
    #[tokio::test]
    async fn known_bytes_are_read_when_they_must_be() {
        let (_stop, stopping) = watch::channel(false);
        let settings = HttpSettings::new("test");
        let app = AppState::shared(
            FakeBackend::new(),
            settings,
            PauseDetector::start(),
            stopping,
        );
        assert_eq!(put_by_n(&app, BODY).await, Ok(StatusCode::ACCEPTED));
        let digest = app.bodies.digest(app.bodies.hash("n", BODY.as_bytes()));
        let announced = Announcement::from_json("n", BODY.as_bytes(), "test").expect("it is one");
        assert_eq!(digest, Some(announced.digest()));

        // The test caches invalid JSON as the body of the registered announcement. A request with
        // this body is accepted only if the body is not parsed.
        const NO_JSON: &str = "{";
        let hash = app.bodies.hash("n", NO_JSON.as_bytes());
        app.bodies.note(hash, announced.digest());
        assert_eq!(put_by_n(&app, NO_JSON).await, Ok(StatusCode::ACCEPTED));
        let deadline = crate::http::state::deadline();
        let withdrawn = app.backend.withdraw("n".to_owned(), None, deadline).await;
        withdrawn.expect("it is taken");
        assert!(put_by_n(&app, NO_JSON).await.is_err(), "it is read");
        assert_eq!(put_by_n(&app, BODY).await, Ok(StatusCode::ACCEPTED));
        assert!(app.backend.lists("n"));
    }
}
