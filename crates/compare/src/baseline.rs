//! The limit: an axum server that returns the same bytes to the same clients on this machine,
//! without replication.

use crate::measure::tasks::{TASKS, Task};
use axum::Router;
use axum::extract::{Json, Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::serve::ListenerExt;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;

/// Response to a lookup that finds no services.
const NOTHING: &[u8] = br#"{"environment":"bench","services":[]}"#;

/// The arguments of a server.
#[derive(Debug, clap::Args)]
pub struct LimitArguments {
    /// Port to listen on, on loopback.
    #[arg(long)]
    port: u16,
    /// Return this number of services for every type, instead of the services of the loads.
    #[arg(long)]
    services: Option<u32>,
}

/// An announcement. It is parsed although it is not used, because any discovery server has to parse
/// it.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read and not looked at: that is the limit")]
struct BaselineAnnouncement {
    environment: String,
    pool: String,
    location: String,
    services: Vec<BaselineService>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "as above")]
struct BaselineService {
    id: String,
    r#type: String,
    properties: BTreeMap<String, String>,
}

/// The state of a server.
struct Limit {
    /// Whether a load has announced its services. Lookups before that must find none, because
    /// `quorate bench` refuses to start if services of its type exist.
    announced: AtomicBool,
    bodies: Bodies,
}

/// The response bodies, encoded before the server starts.
enum Bodies {
    /// One body for each load, by its name.
    OfLoads(BTreeMap<String, Bytes>),
    /// The same body for every type.
    OfAll(Bytes),
}

impl Bodies {
    /// Returns the response body of a lookup of this type.
    fn of_type(&self, of_type: &str) -> Option<&Bytes> {
        match self {
            // A type is the name of a load and the number of the repeat; all repeats have the same
            // services.
            Bodies::OfLoads(bodies) => bodies.get(of_type.rsplit_once('-')?.0),
            Bodies::OfAll(body) => Some(body),
        }
    }
}

/// Serves until the process is terminated.
///
/// # Errors
/// Fails if the port is in use.
pub async fn serve(arguments: LimitArguments) -> anyhow::Result<()> {
    let limit = Limit {
        announced: AtomicBool::new(false),
        bodies: match arguments.services {
            Some(services) => Bodies::OfAll(body("bench", services)),
            None => Bodies::OfLoads(of_tasks(TASKS)),
        },
    };
    let router = Router::new()
        .route("/v1/service/{type}", get(lookup))
        .route("/v1/announcement/{node_id}", put(announce).delete(withdraw))
        .with_state(Arc::new(limit));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    let listener = listener.tap_io(|stream| {
        // With Nagle's algorithm, the end of a response may wait for the acknowledgement of its
        // beginning.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn lookup(State(limit): State<Arc<Limit>>, Path(of_type): Path<String>) -> Response {
    let body = match limit.bodies.of_type(&of_type) {
        Some(body) if limit.announced.load(Ordering::Relaxed) => body.clone(),
        _ => Bytes::from_static(NOTHING),
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn announce(
    State(limit): State<Arc<Limit>>,
    Json(_): Json<BaselineAnnouncement>,
) -> StatusCode {
    limit.announced.store(true, Ordering::Relaxed);
    StatusCode::ACCEPTED
}

async fn withdraw(State(limit): State<Arc<Limit>>) -> StatusCode {
    limit.announced.store(false, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

fn of_tasks(tasks: &[Task]) -> BTreeMap<String, Bytes> {
    let bodies = tasks
        .iter()
        .map(|task| (task.name.to_owned(), body(task.name, task.nodes)));
    bodies.collect()
}

/// Encodes the response of a discovery server to which `quorate bench` has announced this number of
/// services.
fn body(of_type: &str, services: u32) -> Bytes {
    let services: Vec<_> = (0..services)
        .map(|node| {
            json!({
                "id": format!("00012345-0000-4000-8000-{node:012x}"),
                "nodeId": format!("bench-12345-{node}"),
                "type": of_type,
                "pool": "general",
                "location": format!("/bench/{node}"),
                "properties": {
                    "node_version": "476",
                    "coordinator": "false",
                    "http": format!("http://10.0.{}.{}:8080", node / 256 % 256, node % 256),
                    "connectorIds": "system,hive,iceberg,tpch",
                    "token": "0",
                },
            })
        })
        .collect();
    let body = json!({"environment": "bench", "services": services});
    Bytes::from(body.to_string())
}
