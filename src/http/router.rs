//! The router: the table that maps each path and method to its handler. Plain lookups and
//! announcements bypass it ([`super::service::RootService::answer`]).

use super::backend::Backend;
use super::error::ApiError;
use super::handlers::{
    announcement, cluster, coordinator, redirect, service, service_inventory, static_announcement,
    watch,
};
use super::state::App;
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, delete, get, post, put};
use http::header::ALLOW;

/// Builds the router. It expects canonical paths (see
/// [`super::request::airlift_compat::canonical_path`]); the extractors decode the path segments.
pub(super) fn router<D: Backend>(app: App<D>) -> Router {
    let of_the_engine = if app.settings.coordinator_redirect {
        engine()
    } else {
        Router::new()
    };
    of_the_engine
        // Endpoints of airlift's discovery server.
        .route(
            "/v1/announcement/{node_id}",
            dynamic(put(announcement::announce).delete(announcement::withdraw)),
        )
        .route(
            "/v1/announcement/static",
            list_and_add(get(static_announcement::list).post(static_announcement::add)),
        )
        .route(
            "/v1/announcement/static/{id}",
            delete_only(delete(static_announcement::remove)),
        )
        .route("/v1/service", read_only(get(service::all)))
        .route("/v1/service/{type}", read_only(get(service::by_type)))
        .route(
            "/v1/service/{type}/{pool}",
            read_only(get(service::by_type_and_pool)),
        )
        // Endpoints that only quorate has.
        .route("/v1/watch/{type}", read_only(get(watch::by_type)))
        .route(
            "/v1/watch/{type}/{pool}",
            read_only(get(watch::by_type_and_pool)),
        )
        .route("/v1/coordinator", read_only(get(coordinator::coordinator)))
        .route(
            "/v1/service-inventory",
            read_only(get(service_inventory::inventory)),
        )
        .route(
            "/v1/serviceInventory",
            read_only(get(service_inventory::inventory)),
        )
        .route("/v1/cluster/status", read_only(get(cluster::status)))
        .route("/v1/cluster/ready", checked(get(cluster::ready)))
        .route(cluster::PEER_PATH, read_only(get(cluster::peer)))
        .fallback(async || ApiError::NotFound)
        .with_state(app)
}

/// Returns the routes of the engine (Presto or Trino) itself, which redirect its SQL clients to its
/// coordinator.
fn engine<D: Backend>() -> Router<App<D>> {
    Router::new()
        .route("/", read_only(get(redirect::to_coordinator)))
        .route("/ui", read_only(get(redirect::to_coordinator)))
        .route("/ui/{*path}", read_only(get(redirect::to_coordinator)))
        .route("/v1/info", read_only(get(redirect::to_coordinator)))
        .route(
            "/v1/statement",
            statement(post(redirect::to_coordinator).head(redirect::to_coordinator)),
        )
}

/// Adds OPTIONS and 405 (see [`resource`]) to the announcement of a node.
fn dynamic<S: Clone + Send + Sync + 'static>(methods: MethodRouter<S>) -> MethodRouter<S> {
    resource("DELETE, OPTIONS, PUT", "DELETE, OPTIONS, PUT", methods)
}

/// Adds OPTIONS and 405 to a resource that lists and adds services.
fn list_and_add<S: Clone + Send + Sync + 'static>(methods: MethodRouter<S>) -> MethodRouter<S> {
    resource("GET, OPTIONS, POST", "GET, HEAD, OPTIONS, POST", methods)
}

/// Adds OPTIONS and 405 to a resource that can only be deleted.
fn delete_only<S: Clone + Send + Sync + 'static>(methods: MethodRouter<S>) -> MethodRouter<S> {
    resource("DELETE, OPTIONS", "DELETE, OPTIONS", methods)
}

/// Adds OPTIONS and 405 to the routes of `/v1/statement`. Also allows HEAD, with which Trino's JDBC
/// driver tests a connection.
fn statement<S: Clone + Send + Sync + 'static>(methods: MethodRouter<S>) -> MethodRouter<S> {
    resource("OPTIONS, POST", "HEAD, OPTIONS, POST", methods)
}

/// Adds OPTIONS and 405 to a resource that can only be read.
fn read_only<S: Clone + Send + Sync + 'static>(methods: MethodRouter<S>) -> MethodRouter<S> {
    resource("GET, OPTIONS", "GET, HEAD, OPTIONS", methods)
}

/// Adds OPTIONS and 405 to a GET resource like [`read_only`], except that OPTIONS behaves like GET,
/// because HAProxy's health checks use OPTIONS by default.
fn checked<D: Backend>(methods: MethodRouter<App<D>>) -> MethodRouter<App<D>> {
    methods
        .options(async |app: State<App<D>>| {
            ([(ALLOW, "GET, HEAD, OPTIONS")], cluster::ready(app).await)
        })
        .fallback(async || ApiError::MethodNotAllowed("GET, OPTIONS"))
}

/// Adds what Jersey adds to every resource: OPTIONS, and 405 with `Allow`. Only the response to
/// OPTIONS lists HEAD in `Allow`.
fn resource<S: Clone + Send + Sync + 'static>(
    refused_allow: &'static str,
    options_allow: &'static str,
    methods: MethodRouter<S>,
) -> MethodRouter<S> {
    methods
        .options(async move || {
            ([(ALLOW, options_allow)], format!("{options_allow}\n")).into_response()
        })
        .fallback(async move || ApiError::MethodNotAllowed(refused_allow))
}
