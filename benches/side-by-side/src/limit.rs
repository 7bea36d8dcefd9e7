//! The limit: what axum serves of the same bytes to the same clients on this machine, when nobody has to agree.

use crate::tasks::{TASKS, Task};
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

/// A lookup that finds nothing.
const NOTHING: &[u8] = br#"{"environment":"bench","services":[]}"#;

/// What it serves.
#[derive(Debug, clap::Args)]
pub struct LimitArguments {
    /// The port on loopback.
    #[arg(long)]
    port: u16,
}

/// An announcement, read as any server of such would.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read and not looked at: that is the limit")]
struct Announcement {
    environment: String,
    pool: String,
    location: String,
    services: Vec<Service>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "as above")]
struct Service {
    id: String,
    r#type: String,
    properties: BTreeMap<String, String>,
}

/// All that it holds.
struct Limit {
    /// Whether a load is on: before one nothing of its type may be there.
    announced: AtomicBool,
    /// By the type of a load, made beforehand.
    bodies: BTreeMap<String, Bytes>,
}

/// Serves until it is ended.
///
/// # Errors
/// When the port is taken.
pub async fn serve(arguments: LimitArguments) -> anyhow::Result<()> {
    let limit = Limit {
        announced: AtomicBool::new(false),
        bodies: TASKS
            .iter()
            .map(|task| (task.name.to_owned(), body(task)))
            .collect(),
    };
    let router = Router::new()
        .route("/v1/service/{type}", get(lookup))
        .route("/v1/announcement/{node_id}", put(announce).delete(withdraw))
        .with_state(Arc::new(limit));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    let listener = listener.tap_io(|stream| {
        // Else the end of an answer may wait for an acknowledgement of its beginning.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn lookup(State(limit): State<Arc<Limit>>, Path(of_type): Path<String>) -> Response {
    // The type of each repeat is another, and the services are the same.
    let task = of_type.rsplit_once('-').map_or("", |(task, _)| task);
    let body = match limit.bodies.get(task) {
        Some(body) if limit.announced.load(Ordering::Relaxed) => body.clone(),
        _ => Bytes::from_static(NOTHING),
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn announce(State(limit): State<Arc<Limit>>, Json(_): Json<Announcement>) -> StatusCode {
    limit.announced.store(true, Ordering::Relaxed);
    StatusCode::ACCEPTED
}

async fn withdraw(State(limit): State<Arc<Limit>>) -> StatusCode {
    limit.announced.store(false, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

/// The answer of a discovery server to which `quorate bench` has announced the nodes of a task.
fn body(task: &Task) -> Bytes {
    let services: Vec<_> = (0..task.nodes)
        .map(|node| {
            json!({
                "id": format!("00012345-0000-4000-8000-{node:012x}"),
                "nodeId": format!("bench-12345-{node}"),
                "type": task.name,
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
