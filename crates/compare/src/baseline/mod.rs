//! The baseline: an axum server that returns the same bytes to the same clients on this machine,
//! without replication. Its speed is the upper bound for a discovery server.

mod tls_listener;

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
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tls_listener::TlsListener;
use tokio::net::TcpListener;

/// Response to a lookup that finds no services.
const NOTHING: &[u8] = br#"{"environment":"bench","services":[]}"#;

/// The arguments of one server of the baseline.
#[derive(Debug, clap::Args)]
pub struct BaselineArguments {
    /// Port to listen on, on loopback.
    #[arg(long)]
    port: u16,
    /// Return this number of services for every type, instead of the services of the loads.
    #[arg(long)]
    services: Option<u32>,
    /// Port to listen on for HTTPS too, on loopback.
    #[arg(long, requires = "key_store")]
    https_port: Option<u16>,
    /// PEM file with the key and the certificates for HTTPS.
    #[arg(long, requires = "https_port")]
    key_store: Option<PathBuf>,
}

/// An announcement. The baseline does not use the content, but parses it, because any discovery
/// server has to parse announcements.
#[derive(Debug, Deserialize)]
#[expect(
    dead_code,
    reason = "parsed but not used, as a part of the work of the baseline"
)]
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

/// The state of one server of the baseline.
struct Baseline {
    /// Whether a load has announced its services. Lookups before the announcement must find no
    /// services, because `quorate bench` refuses to start if services of the load's type exist.
    announced: AtomicBool,
    bodies: Bodies,
}

/// The response bodies. They are encoded before the server starts, so that a lookup only copies
/// bytes.
enum Bodies {
    /// One response body for each load, by the load's name.
    OfLoads(BTreeMap<String, Bytes>),
    /// The same response body for every service type.
    OfAll(Bytes),
}

impl Bodies {
    /// Returns the response body of a lookup of this type.
    fn of_type(&self, of_type: &str) -> Option<&Bytes> {
        match self {
            // The name of a type consists of the name of a load and the number of the repeat. All
            // repeats of a load have the same services.
            Bodies::OfLoads(bodies) => bodies.get(of_type.rsplit_once('-')?.0),
            Bodies::OfAll(body) => Some(body),
        }
    }
}

/// Serves lookups and announcements until the process is terminated.
///
/// # Errors
/// Fails if a port is in use, or the file for HTTPS cannot be used.
pub async fn serve(arguments: BaselineArguments) -> anyhow::Result<()> {
    let baseline = Baseline {
        announced: AtomicBool::new(false),
        bodies: match arguments.services {
            Some(services) => Bodies::OfAll(body("bench", services)),
            None => Bodies::OfLoads(of_tasks(TASKS)),
        },
    };
    let router = Router::new()
        .route("/v1/service/{type}", get(lookup))
        .route("/v1/announcement/{node_id}", put(announce).delete(withdraw))
        .with_state(Arc::new(baseline));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    let listener = listener.tap_io(|stream| {
        // TCP_NODELAY disables Nagle's algorithm, with which the end of a response may wait for the
        // acknowledgement of its beginning.
        let _ = stream.set_nodelay(true);
    });
    let http = axum::serve(listener, router.clone()).into_future();
    match (arguments.https_port, &arguments.key_store) {
        (Some(port), Some(key_store)) => {
            let listener = TlsListener::bind(port, key_store).await?;
            tokio::try_join!(http, axum::serve(listener, router).into_future())?;
        }
        _ => http.await?,
    }
    Ok(())
}

/// Answers a lookup with the encoded body. Before an announcement, the answer has no services.
async fn lookup(State(baseline): State<Arc<Baseline>>, Path(of_type): Path<String>) -> Response {
    let body = match baseline.bodies.of_type(&of_type) {
        Some(body) if baseline.announced.load(Ordering::Relaxed) => body.clone(),
        _ => Bytes::from_static(NOTHING),
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Parses and discards an announcement. Later lookups find services.
async fn announce(
    State(baseline): State<Arc<Baseline>>,
    Json(_): Json<BaselineAnnouncement>,
) -> StatusCode {
    baseline.announced.store(true, Ordering::Relaxed);
    StatusCode::ACCEPTED
}

/// Accepts a withdrawal. Later lookups find no services.
async fn withdraw(State(baseline): State<Arc<Baseline>>) -> StatusCode {
    baseline.announced.store(false, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

/// Encodes one response body for each load, by the load's name.
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
