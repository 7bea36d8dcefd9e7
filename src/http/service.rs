//! The entry point of every HTTP request, which checks the request and its client, and calls a
//! handler. Plain lookups and announcements go directly to their handlers, and other requests go
//! through `router`.

use super::audit_events::WriteClient;
use super::authentication::{self, PolicyTable, Rule};
use super::backend::Backend;
use super::connection_limiter::ConnectionPermit;
use super::error::ApiError;
use super::handlers::metrics::METRICS_PATH;
use super::handlers::{announcement, redirect, service};
use super::metrics::{RequestKind, RouteMetrics};
use super::request::airlift_compat::canonical_path;
use super::request::host;
use super::router::router;
use super::state::{App, ConnectionInfo, RequestTarget};
use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::{Either, Ready, ready};
use http::header::ALLOW;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri};
use std::borrow::Cow;
use std::time::Duration;
use tower::ServiceExt;

/// The prefix of the paths for peers, for monitoring, and for the operators who repair a cluster.
/// Requests for these paths are admitted even on a connection that is reserved for peers, or was
/// opened before the process was suspended.
const CLUSTER_PATH: &str = "/v1/cluster/";

/// The target of a request about the server itself rather than a resource (RFC 9110, 7.1).
const SERVER_ITSELF: &str = "*";

/// The service that receives every request: the checks, and the router behind them.
pub(super) struct RootService<D> {
    app: App<D>,
    router: Router,
    policy: PolicyTable,
    /// The metrics of each route, in the order of [`PolicyTable::patterns`].
    by_route: Vec<RouteMetrics>,
    /// The metrics of requests without a route.
    unrouted: RouteMetrics,
}

/// A request that is being answered.
pub(super) struct Answering<F> {
    /// The response.
    pub(super) response: F,
    /// The route of the request, for [`RootService::count`].
    pub(super) route: Option<usize>,
}

impl<D: Backend> RootService<D> {
    pub(super) fn new(app: App<D>) -> RootService<D> {
        let (router, policy) = router(app.clone());
        let patterns = policy.patterns().iter();
        RootService {
            by_route: patterns
                .map(|pattern| app.metrics.route(pattern, kind_of(pattern)))
                .collect(),
            unrouted: app.metrics.route("other", RequestKind::Other),
            app,
            router,
            policy,
        }
    }

    /// Counts a response that was ready after `took`.
    pub(super) fn count(&self, route: Option<usize>, response: &Response, took: Duration) {
        let metrics = route.and_then(|route| self.by_route.get(route));
        metrics.unwrap_or(&self.unrouted).count(response, took);
    }

    /// Returns the state that all handlers share.
    pub(super) fn app(&self) -> &App<D> {
        &self.app
    }

    /// Answers a request on the connection `connection_info`, which holds `permit`: checks the
    /// request and runs its handler.
    pub(super) fn answer(
        &self,
        connection_info: ConnectionInfo,
        permit: ConnectionPermit,
        request: Request<Body>,
    ) -> Answering<impl Future<Output = Response> + use<D>> {
        let asks_server = request.uri().path() == SERVER_ITSELF;
        let request = match self.admit(&connection_info, &permit, request) {
            Ok(request) => request,
            Err(error) => return at_once(error, None),
        };
        if asks_server {
            return at_once(of_server(request.method()), None);
        }
        let (rule, route) = self.policy.rule(request.method(), request.uri().path());
        match authentication::check(&self.app, rule, &connection_info, &request) {
            Ok(principal) => {
                let client = WriteClient {
                    connection_info,
                    principal,
                };
                let response = Either::Left(self.run(client, permit, rule, request));
                Answering { response, route }
            }
            Err(error) => at_once(error, route),
        }
    }

    /// Runs the handler of a request whose client has proved what the rule demands.
    fn run(
        &self,
        client: WriteClient,
        permit: ConnectionPermit,
        rule: Rule,
        mut request: Request<Body>,
    ) -> impl Future<Output = Response> + use<D> {
        // Nearly all requests are plain lookups and announcements. They bypass the router, whose
        // cost is considerable beside that of a small response.
        if rule == Rule::Read
            && let Some(lookup) = service::direct_lookup(&request)
        {
            return Either::Left(service::answer(self.app.clone(), lookup, request));
        }
        if rule == Rule::OwnNode
            && let Some(node_id) = announcement::direct_put(&request)
        {
            let answered = announcement::answer(self.app.clone(), client, node_id, request);
            return Either::Left(answered);
        }
        request
            .extensions_mut()
            .insert(client.connection_info.clone());
        if matches!(rule, Rule::OwnNode | Rule::Write) {
            request.extensions_mut().insert(client);
        }
        if request.uri().path().starts_with(CLUSTER_PATH) {
            // The peer handler keeps the permit for as long as the upgraded connection lasts.
            request.extensions_mut().insert(permit);
        }
        let answered = self.router.clone().oneshot(request);
        Either::Right(answered.map(IntoResponse::into_response))
    }

    /// Checks the host of a request, the size of its head, its path and its connection. Returns the
    /// request with a canonical path.
    ///
    /// # Errors
    /// The error response of the first check that fails.
    fn admit(
        &self,
        connection_info: &ConnectionInfo,
        permit: &ConnectionPermit,
        mut request: Request<Body>,
    ) -> Result<Request<Body>, ApiError> {
        host::check(&request)?;
        let settings = &self.app.settings;
        let target_bytes = target_bytes(request.uri());
        if target_bytes > settings.max_head_bytes() {
            return Err(ApiError::UriTooLong(settings.max_head_bytes()));
        }
        let path = canonical_path(request.uri().path())
            .map_err(|error| ApiError::BadRequest(error.to_string()))?;
        let header_bytes = header_bytes(request.headers());
        let mut max_bytes = settings.max_header_bytes;
        if target_bytes.max(header_bytes) > max_bytes
            && settings.coordinator_redirect
            && redirect::leads_away(&path)
        {
            max_bytes = settings.max_redirected_header_bytes;
        }
        if target_bytes > max_bytes {
            return Err(ApiError::UriTooLong(max_bytes));
        }
        if header_bytes > max_bytes {
            return Err(ApiError::HeadersTooLarge(max_bytes));
        }
        if !path.starts_with(CLUSTER_PATH) {
            if permit.for_peers() {
                return Err(ApiError::TooManyConnections);
            }
            // Metrics may be old, so a scrape needs no new connection.
            if path != METRICS_PATH
                && !self
                    .app
                    .pause_detector
                    .is_current(connection_info.opened_epoch)
            {
                return Err(ApiError::ProcessResumed);
            }
        }
        if let Cow::Owned(path) = path {
            let canonical = with_path(request.uri(), &path)?;
            let sent = std::mem::replace(request.uri_mut(), canonical);
            request.extensions_mut().insert(RequestTarget(sent));
        }
        Ok(request)
    }
}

/// Returns a response that needs no handler.
fn at_once<F>(
    response: impl IntoResponse,
    route: Option<usize>,
) -> Answering<Either<F, Ready<Response>>> {
    let response = Either::Right(ready(response.into_response()));
    Answering { response, route }
}

/// Returns the kind of the requests of a route.
fn kind_of(pattern: &str) -> RequestKind {
    match pattern {
        "/v1/service" | "/v1/service/{type}" | "/v1/service/{type}/{pool}" => RequestKind::Lookup,
        "/v1/announcement/{node_id}" => RequestKind::Announcement,
        _ => RequestKind::Other,
    }
}

/// Returns the response to a request whose target is `*`, the server itself.
fn of_server(method: &Method) -> Response {
    const ALLOW_ALL: &str = "DELETE, GET, HEAD, OPTIONS, POST, PUT";
    match *method {
        Method::OPTIONS => ([(ALLOW, ALLOW_ALL)], format!("{ALLOW_ALL}\n")).into_response(),
        _ => {
            let only = "The request target * is for OPTIONS only".to_owned();
            ApiError::BadRequest(only).into_response()
        }
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

/// Returns the target with another path and the same query.
fn with_path(uri: &Uri, path: &str) -> Result<Uri, ApiError> {
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let bad = |_| ApiError::BadRequest("The request target is not a path".to_owned());
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(target).map_err(bad)?);
    Uri::from_parts(parts)
        .map_err(|_| ApiError::BadRequest("The request target is not a path".to_owned()))
}
