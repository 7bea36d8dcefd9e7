//! What every request passes before its handler.

use super::app::{App, Origin};
use super::compat::canonical_path;
use super::discovery::Discovery;
use super::errors::Refusal;
use super::places::Place;
use super::router::router;
use super::{announcement, lookup};
use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::{Either, ready};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Uri};
use std::borrow::Cow;
use tower::ServiceExt;

/// Below this path are the peers, the monitors and the people that repair a cluster: they get in when clients do not.
const CLUSTER_PATH: &str = "/v1/cluster/";

/// The target of a request whose path was made canonical; an extension of it.
#[derive(Debug, Clone)]
pub(super) struct TargetAsSent(pub(super) Uri);

/// The router behind its checks.
pub(super) struct Front<D> {
    app: App<D>,
    router: Router,
}

impl<D: Discovery> Front<D> {
    pub(super) fn new(app: App<D>) -> Front<D> {
        Front {
            router: router(app.clone()),
            app,
        }
    }

    /// Answers a request that came over the connection `origin`, which holds `place`.
    pub(super) fn answer(
        &self,
        origin: Origin,
        place: Place,
        request: Request<Body>,
    ) -> impl Future<Output = Response> + use<D> {
        let mut request = match self.admit(origin, &place, request) {
            Ok(request) => request,
            Err(refusal) => return Either::Right(ready(refusal.into_response())),
        };
        // What nearly all requests are passes the router by.
        if let Some(lookup) = lookup::plain(&request) {
            let answered = lookup::answer(self.app.clone(), lookup, request);
            return Either::Left(Either::Left(answered));
        }
        if let Some(node_id) = announcement::plain(&request) {
            let answered = announcement::answer(self.app.clone(), origin, node_id, request);
            return Either::Left(Either::Left(answered));
        }
        request.extensions_mut().insert(origin);
        if request.uri().path().starts_with(CLUSTER_PATH) {
            // A peer's connection keeps its place after its upgrade.
            request.extensions_mut().insert(place);
        }
        let answered = self.router.clone().oneshot(request);
        Either::Left(Either::Right(answered.map(IntoResponse::into_response)))
    }

    fn admit(
        &self,
        origin: Origin,
        place: &Place,
        mut request: Request<Body>,
    ) -> Result<Request<Body>, Refusal> {
        let max_bytes = self.app.settings.max_header_bytes;
        if target_bytes(request.uri()) > max_bytes {
            return Err(Refusal::UriTooLong(max_bytes));
        }
        if header_bytes(request.headers()) > max_bytes {
            return Err(Refusal::HeadersTooLarge(max_bytes));
        }
        let path = canonical_path(request.uri().path())
            .map_err(|error| Refusal::BadRequest(error.to_string()))?;
        if !path.starts_with(CLUSTER_PATH) {
            if place.for_peers() {
                return Err(Refusal::TooManyConnections);
            }
            if !self.app.beat.awake(origin.opened_epoch) {
                return Err(Refusal::Woken);
            }
        }
        if let Cow::Owned(path) = path {
            let canonical = with_path(request.uri(), &path)?;
            let sent = std::mem::replace(request.uri_mut(), canonical);
            request.extensions_mut().insert(TargetAsSent(sent));
        }
        Ok(request)
    }
}

fn target_bytes(uri: &Uri) -> usize {
    uri.path_and_query()
        .map_or(0, |target| target.as_str().len())
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

fn with_path(uri: &Uri, path: &str) -> Result<Uri, Refusal> {
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let bad = |_| Refusal::BadRequest("The request target is not a path".to_owned());
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(target).map_err(bad)?);
    Uri::from_parts(parts)
        .map_err(|_| Refusal::BadRequest("The request target is not a path".to_owned()))
}
