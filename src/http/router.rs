//! The router, which maps each path and method to a handler, and to the proof that the client must
//! give. Plain lookups and announcements bypass the router, but not the check of the proof
//! ([`super::service::RootService::answer`]).

use super::authentication::{PolicyTable, Rule, Rules};
use super::backend::Backend;
use super::error::ApiError;
use super::handlers::{
    announcement, cluster, coordinator, metrics, redirect, service, service_inventory,
    static_announcement, targets, watch,
};
use super::state::App;
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, delete, get, post, put};
use http::header::ALLOW;

/// Builds the router, and the policy with the rules of all routes. The router expects canonical
/// paths (see [`super::request::airlift_compat::canonical_path`]), whose segments the extractors
/// decode.
pub(super) fn router<D: Backend>(app: App<D>) -> (Router, PolicyTable) {
    let routes = match app.settings.coordinator_redirect {
        true => engine_routes(RouteTable::default()),
        false => RouteTable::default(),
    };
    let RouteTable { router, policy } = cluster_routes(watch_routes(airlift_routes(routes)));
    let router = router.fallback(async || ApiError::NotFound);
    (router.with_state(app), policy)
}

/// The routes with their handlers and their rules. A route cannot be added without its rules.
struct RouteTable<D> {
    router: Router<App<D>>,
    policy: PolicyTable,
}

impl<D: Backend> Default for RouteTable<D> {
    fn default() -> RouteTable<D> {
        RouteTable {
            router: Router::new(),
            policy: PolicyTable::default(),
        }
    }
}

impl<D: Backend> RouteTable<D> {
    fn route(mut self, path: &str, rules: Rules, methods: MethodRouter<App<D>>) -> RouteTable<D> {
        self.policy.insert(path, rules);
        self.router = self.router.route(path, methods);
        self
    }
}

/// Adds the endpoints of airlift's discovery server.
fn airlift_routes<D: Backend>(routes: RouteTable<D>) -> RouteTable<D> {
    const STATICS: Rules = Rules {
        reading: Rule::Read,
        writing: Rule::Write,
    };
    routes
        .route(
            "/v1/announcement/{node_id}",
            Rules::only(Rule::OwnNode),
            dynamic(put(announcement::announce).delete(announcement::withdraw)),
        )
        .route(
            "/v1/announcement/static",
            STATICS,
            list_and_add(get(static_announcement::list).post(static_announcement::add)),
        )
        .route(
            "/v1/announcement/static/{id}",
            STATICS,
            delete_only(delete(static_announcement::remove)),
        )
        .route(
            "/v1/service",
            Rules::only(Rule::Read),
            read_only(get(service::all)),
        )
        .route(
            "/v1/service/{type}",
            Rules::only(Rule::Read),
            read_only(get(service::by_type)),
        )
        .route(
            "/v1/service/{type}/{pool}",
            Rules::only(Rule::Read),
            read_only(get(service::by_type_and_pool)),
        )
}

/// Adds the endpoints with which clients follow changes, which airlift does not have.
fn watch_routes<D: Backend>(routes: RouteTable<D>) -> RouteTable<D> {
    routes
        .route(
            "/v1/watch/{type}",
            Rules::only(Rule::Read),
            read_only(get(watch::by_type)),
        )
        .route(
            "/v1/watch/{type}/{pool}",
            Rules::only(Rule::Read),
            read_only(get(watch::by_type_and_pool)),
        )
        .route(
            "/v1/coordinator",
            Rules::only(Rule::Open),
            read_only(get(coordinator::coordinator)),
        )
        .route(
            "/v1/targets/{type}",
            Rules::only(Rule::Read),
            read_only(get(targets::by_type)),
        )
        .route(
            "/v1/targets/{type}/{pool}",
            Rules::only(Rule::Read),
            read_only(get(targets::by_type_and_pool)),
        )
        .route(
            "/v1/service-inventory",
            Rules::only(Rule::Read),
            read_only(get(service_inventory::inventory)),
        )
        .route(
            "/v1/serviceInventory",
            Rules::only(Rule::Read),
            read_only(get(service_inventory::inventory)),
        )
}

/// Adds the endpoints of the cluster itself.
fn cluster_routes<D: Backend>(routes: RouteTable<D>) -> RouteTable<D> {
    routes
        .route(
            "/v1/cluster/status",
            Rules::only(Rule::Read),
            read_only(get(cluster::status)),
        )
        .route(
            "/v1/cluster/ready",
            Rules::only(Rule::Open),
            checked(get(cluster::ready)),
        )
        .route(
            metrics::METRICS_PATH,
            Rules::only(Rule::Read),
            read_only(get(metrics::metrics)),
        )
        .route(
            cluster::PEER_PATH,
            Rules::only(Rule::Peer),
            read_only(get(cluster::peer)),
        )
}

/// Adds the routes of the engine (Presto or Trino) itself, which redirect SQL clients to the
/// coordinator. The routes are open, because the coordinator authenticates the clients.
fn engine_routes<D: Backend>(routes: RouteTable<D>) -> RouteTable<D> {
    let open = Rules::only(Rule::Open);
    routes
        .route("/", open, read_only(get(redirect::to_coordinator)))
        .route("/ui", open, read_only(get(redirect::to_coordinator)))
        .route(
            "/ui/{*path}",
            open,
            read_only(get(redirect::to_coordinator)),
        )
        .route("/v1/info", open, read_only(get(redirect::to_coordinator)))
        .route(
            "/v1/statement",
            open,
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

/// Adds OPTIONS, and 405 with `Allow`, as Jersey does for every resource. Only the response to
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
