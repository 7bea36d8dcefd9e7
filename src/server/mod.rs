//! The server, which combines the disk, consensus, the HTTP server, and this node's own
//! announcement.

mod access_log;
mod certificates;
mod error;
mod file_reload;
mod listen;
mod measured_fs;
mod own_address;
mod secrets;
mod self_announcement;
mod signals;
mod state_report;

pub use error::exit_code_of;

use crate::clock::PauseDetector;
use crate::config::Settings;
use crate::config::inventory_source::{InventoryError, fetch};
use crate::http::{self, CoordinatorChoice, HttpListener, HttpSettings};
use crate::metrics::DiskMetrics;
use crate::model::Inventory;
use crate::raft::{LogRetention, Node, Options};
use crate::storage::Store;
use crate::telemetry;
use anyhow::Context;
use error::ServerError;
use listen::ListeningSockets;
use measured_fs::MeasuredFs;
use own_address::{OwnAddress, bindable};
use rustls::ServerConfig;
use signals::StopSignals;
use state_report::StateReport;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// The directory of the log and the snapshot, inside `node.data-dir`.
pub const RAFT_DIR: &str = "raft";
/// Timeout of the check that this node is reached at its own address. The check runs only if the
/// port of that address is not the port on which this node listens.
const OWN_ADDRESS_LIMIT: Duration = Duration::from_secs(3);
/// Maximum time for the HTTP server and the disk to shut down, after which the process ends anyway.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// Fails when the server cannot start or cannot continue.
pub fn run(settings: Settings) -> anyhow::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // This variable is tokio's own setting for the number of workers, and takes precedence.
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        runtime.worker_threads(workers());
    }
    let runtime = runtime
        .enable_all()
        .build()
        .context("the worker threads cannot be started")?;
    let result = runtime.block_on(serve(settings));
    // A blocking disk call in progress must not delay the exit.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Returns the number of worker threads, which is half of the processors. The other half is left to
/// the kernel, the disk and the clients. Additional workers would often be woken for small tasks
/// that another worker has finished by then (docs/decisions/0014).
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

/// Starts the node, and serves until a signal or a failure.
async fn serve(settings: Settings) -> anyhow::Result<()> {
    let state = Arc::new(StateReport::new());
    let mut stop = StopSignals::new().context("the signal handlers cannot be installed")?;
    signals::answer(state.clone()).context("the signal handlers cannot be installed")?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        environment = settings.environment,
        data_dir = %settings.data_dir.display(),
        "starting"
    );
    let running = tokio::select! {
        started = start(&settings, state) => started?,
        signal = stop.wanted() => {
            // Nothing was served yet. The next start repairs a partial write, as after a power cut.
            tracing::info!("stopped by {signal} while starting");
            return Ok(());
        }
    };
    until_stopped(&settings, running, stop).await
}

/// Opens the data directory and the port, and starts the node.
async fn start(settings: &Settings, state: Arc<StateReport>) -> anyhow::Result<Running> {
    let pause_detector = PauseDetector::start();
    let dir = settings.data_dir.join(RAFT_DIR);
    let disk = DiskMetrics::default();
    let measured = MeasuredFs {
        metrics: disk.clone(),
    };
    let store = tokio::task::spawn_blocking(move || Store::open(Arc::new(measured), &dir))
        .await
        .context("the data directory cannot be opened")??;
    let node_id = node_id(settings, &store)?;
    let inventory = inventory(settings, &store, &node_id).await?;
    let (https, certificates) = match &settings.security.https {
        Some(files) => {
            let tls = certificates::tls_settings(files, &settings.environment).await?;
            (Some(tls.clients), tls.peers)
        }
        None => (None, None),
    };
    // The derivation of keys takes a while, so it is done before connections are accepted.
    let secured = settings.clone();
    let security = move || secrets::peer_security(&secured, certificates);
    let security = tokio::task::spawn_blocking(security)
        .await
        .context("the keys of the peers cannot be derived")??;
    let sockets = listen::listen(settings)?;
    let ports = sockets.ports().context("the port of a socket is unknown")?;
    let own = own_address::find(settings, inventory.as_ref(), &node_id, ports).await;
    let (bind, OwnAddress { uri: address, .. }) = (bindable(&own), own);
    let options = Options {
        node_id: node_id.clone(),
        environment: settings.environment.clone(),
        bind,
        security,
        dial: None,
        address: address.clone(),
        inventory,
        max_age: Duration::from_millis(settings.max_age_ms),
        recovery_gap: Duration::from_millis(settings.recovery_gap_ms),
        recovery_grace: Duration::from_millis(settings.recovery_grace_ms),
        log_limits: LogRetention::default(),
        auto_rejoin: settings.auto_rejoin,
        heartbeat: Duration::from_millis(settings.heartbeat_ms),
        election: (
            Duration::from_millis(settings.election_min_ms),
            Duration::from_millis(settings.election_max_ms),
        ),
        store,
        pause_detector: pause_detector.clone(),
    };
    telemetry::set_audited_node(&node_id);
    secrets::warn_of_missing_authentication(&settings.security);
    secrets::audit_start(&settings.security);
    let node = Node::start(options).await?;
    state.note_node(node.clone());
    let (_, port) = ports.for_peers();
    tracing::info!(node = node_id, address, port, "started");
    if let (Some(port), Some(_)) = (ports.https, ports.http) {
        tracing::info!(port, "listens for HTTPS too");
    }
    let announcement = self_announcement::announcement(settings, &node_id, &address, ports)?;
    let announcing = tokio::spawn(self_announcement::keep_announced(
        node.clone(),
        announcement,
        settings.max_age_ms,
    ));
    Ok(Running {
        node,
        node_id,
        address,
        port,
        listeners: listeners(sockets, https),
        pause_detector,
        announcing,
        state,
        disk,
    })
}

/// A started node.
struct Running {
    node: Node,
    node_id: String,
    address: String,
    /// The port at which other nodes reach this node.
    port: u16,
    listeners: Vec<HttpListener>,
    pause_detector: PauseDetector,
    /// The task that renews the node's own announcement. It ends before the node withdraws the
    /// announcement.
    announcing: JoinHandle<()>,
    /// The report that SIGQUIT writes to the log.
    state: Arc<StateReport>,
    disk: DiskMetrics,
}

/// Serves until a signal or a failure. After a signal, shuts the node down in the order that
/// disturbs clients least.
async fn until_stopped(
    settings: &Settings,
    running: Running,
    mut signals: StopSignals,
) -> anyhow::Result<()> {
    let node = &running.node;
    let (stop, stopped) = oneshot::channel::<()>();
    let mut http_settings = HttpSettings::new(settings.environment.clone());
    http_settings.usage = running.state.wire();
    http_settings.disk = running.disk;
    http_settings.max_announcement_bytes = settings.max_announcement_bytes;
    if let Some(bytes) = settings.max_header_bytes {
        http_settings.set_max_header_bytes(bytes);
    }
    http_settings.engines = secrets::engine_security(settings)?;
    http_settings.access_tokens = secrets::access_tokens(settings);
    http_settings.reads_need_proof = settings.security.reads_need_proof;
    http_settings.hold_time_ms = settings.hold_time_ms;
    http_settings.announce_interval_s = settings.announce_interval_s;
    http_settings.coordinator_redirect = settings.coordinator_redirect;
    if !settings.newest_coordinator {
        http_settings.coordinator_choice = CoordinatorChoice::Oldest;
    }
    let access_log = access_log::open(settings)?;
    let wire = http::serve(
        running.listeners,
        node.clone(),
        http_settings,
        running.pause_detector,
        access_log,
        async {
            // A dropped sender stops the HTTP server as well.
            let _ = stopped.await;
        },
    );
    let wire = tokio::spawn(wire);
    let reason = tokio::select! {
        signal = signals.wanted() => signal,
        fatal = node.fatal() => return Err(fatal.into()),
        unreachable = never_reached(node, running.port, &running.address) => {
            return Err(unreachable.into());
        }
    };
    tracing::info!("stopping: {reason}");
    running.announcing.abort();
    self_announcement::withdraw(node, &running.node_id).await;
    node.transfer_leadership().await;
    drop(stop);
    let ended = tokio::time::timeout(STOP_TIMEOUT, async {
        if let Err(error) = wire.await {
            tracing::error!("the HTTP server failed: {error}");
        }
        node.stop().await;
    });
    if ended.await.is_err() {
        tracing::warn!("some requests or disk operations did not finish in time");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Returns the listeners of the HTTP server.
fn listeners(
    sockets: ListeningSockets,
    https: Option<watch::Receiver<Arc<ServerConfig>>>,
) -> Vec<HttpListener> {
    let ListeningSockets {
        http: http_socket,
        https: https_socket,
    } = sockets;
    let http = http_socket.map(HttpListener::plain);
    let https = https_socket
        .zip(https)
        .map(|(socket, config)| HttpListener {
            socket,
            https: Some(config),
        });
    http.into_iter().chain(https).collect()
}

/// Returns the configured node id. Without a configured id, returns the id in the data directory,
/// or else a random id, which the data directory keeps.
fn node_id(settings: &Settings, store: &Store) -> anyhow::Result<String> {
    if let Some(node_id) = &settings.node_id {
        return Ok(node_id.clone());
    }
    match store.identity() {
        Some(identity) => Ok(identity.node_id),
        None => Ok(crate::model::random_uuid()?),
    }
}

/// Returns the inventory, if one is configured. A member whose inventory cannot be read starts
/// without it, because its log contains the membership of the group. The quorum must not depend on
/// a configuration server.
async fn inventory(
    settings: &Settings,
    store: &Store,
    node_id: &str,
) -> anyhow::Result<Option<Inventory>> {
    let Some(uri) = &settings.inventory_uri else {
        return Ok(None);
    };
    let is_member = store
        .identity()
        .is_some_and(|identity| identity.group.is_some());
    match fetch(uri, &settings.security.authorities).await {
        Ok(inventory) => {
            check_inventory(settings, uri, &inventory, node_id)?;
            Ok(Some(inventory))
        }
        Err(error @ (InventoryError::Unreachable { .. } | InventoryError::File { .. }))
            if is_member =>
        {
            tracing::warn!(
                "{error}; this node is a member of its group and starts without the inventory"
            );
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Checks that the inventory has this node's environment and lists this node.
fn check_inventory(
    settings: &Settings,
    uri: &str,
    inventory: &Inventory,
    node_id: &str,
) -> Result<(), ServerError> {
    if inventory.environment != settings.environment {
        return Err(ServerError::Inventory(format!(
            "{uri}: environment is {:?}, but node.environment is {:?}",
            inventory.environment, settings.environment
        )));
    }
    let own = inventory
        .own(node_id)
        .map_err(|error| ServerError::Inventory(error.to_string()))?;
    let is_https = own.address.starts_with("https:");
    if is_https == settings.http_enabled {
        let (listed, enabled) = match is_https {
            true => ("properties.https", "http-server.http.enabled is true"),
            false => ("properties.http", "http-server.http.enabled is false"),
        };
        return Err(ServerError::Inventory(format!(
            "{uri}: the entry of this node has {listed}, but {enabled}"
        )));
    }
    Ok(())
}

/// Returns an error if peers would not find this node, and otherwise never returns. Peers would not
/// find this node if its inventory entry has another port than the one on which it listens, and
/// nothing forwards connections between the two ports.
async fn never_reached(node: &Node, port: u16, address: &str) -> ServerError {
    let announced = address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok())
        .unwrap_or(80);
    if announced == port || node.answers_at(address, OWN_ADDRESS_LIMIT).await {
        return std::future::pending().await;
    }
    ServerError::Inventory(format!(
        "service-inventory.uri: the inventory lists this node at {address}, but it listens on \
         port {port}, and connections to that address do not reach it: \
         peers would not find it"
    ))
}
