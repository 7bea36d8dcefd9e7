//! Starts openraft and the tasks around it.

use super::apply::state_machine::StateMachine;
use super::consensus::{proposer, read_index};
use super::error::{RaftError, StorageFailure};
use super::group::view::RaftView;
use super::group::{Group, Raft};
use super::membership::{feature_level, replace_member};
use super::monitor::{
    disk_space, inbound_check, log_retention, peer_status, raft_metrics, serving_watchdog, ticker,
};
use super::options::Options;
use super::transport::identity::NodeIdentity;
use super::transport::peers::Peers;
use super::transport::raft_network::Network;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::Fatal;
use openraft::{Config, SnapshotPolicy, StorageHelper};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Number of entries after which a snapshot is taken. If entries are large, `log_retention` takes a
/// snapshot sooner. A restart applies about this number of entries at most. It also reads the
/// entries kept for lagging nodes ([`ENTRIES_KEPT`]), but does not apply them.
const SNAPSHOT_EVERY_ENTRIES: u64 = 5_000;
/// Number of entries kept behind a snapshot, if the entries are small (`log_retention` purges large
/// ones sooner). With these entries, a node that was away for half a minute under full load needs
/// no snapshot.
///
/// A purge up to a node's own snapshot does not overtake the apply of the purged entries (openraft
/// #2116), because they were submitted to the state machine before the snapshot was built.
const ENTRIES_KEPT: u64 = 10_000;
/// Maximum number of entries per append. openraft has no limit in bytes, so the log reader also
/// ends an append at a megabyte. Otherwise openraft would endlessly resend an append that a slow
/// link cannot carry in time.
const ENTRIES_PER_APPEND: u64 = 300;
/// Maximum time to install a snapshot on a slow disk before openraft starts over.
const INSTALL_SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens the replica, and starts openraft and the tasks of the group.
///
/// # Errors
/// When the data on disk cannot be trusted, or openraft rejects the settings.
pub(super) async fn start(
    options: Options,
    peers: Arc<Peers>,
    founders: Vec<(NodeIdentity, String)>,
) -> Result<Arc<Group>, RaftError> {
    let store = options.store.clone();
    let (mut machine, replica) = StateMachine::open(
        store.snapshots(),
        &options.environment,
        peers.cluster_id(),
        options.recovery_gap,
        options.pause_detector.clone(),
    )
    .await?;
    // Read the membership from the disk. openraft reports the membership only once it runs, and
    // from then on this node may vote.
    let membership = StorageHelper::new(&mut store.log_store(), &mut machine)
        .get_membership()
        .await
        .map_err(|error| StorageFailure::NotStarted(Arc::new(Fatal::StorageError(error))))?
        .effective()
        .clone();
    let config = Arc::new(raft_config(&options)?);
    let network = Network::new(peers.clone());
    let raft = Raft::build(peers.raft_id(), config, network, store.log_store(), machine)
        .await
        .map_err(|error| StorageFailure::NotStarted(Arc::new(error)))?;
    peers.handshake_all(&membership).await;
    if let Some(fatal) = peers.fatal().borrow().clone() {
        return Err(fatal);
    }
    raft.run();
    let (sender, view) = watch::channel(RaftView::of(&raft.metrics().borrow_watched()));
    let (group, rounds, batches) = Group::new(raft, replica, peers, options, founders, view);
    let group = Arc::new(group);
    tokio::spawn(raft_metrics::follow(group.clone(), sender));
    tokio::spawn(read_index::run(group.clone(), rounds));
    tokio::spawn(proposer::run(group.clone(), batches));
    tokio::spawn(ticker::run(group.clone()));
    tokio::spawn(peer_status::run(group.clone()));
    tokio::spawn(serving_watchdog::run(group.clone()));
    tokio::spawn(replace_member::run(group.clone()));
    tokio::spawn(feature_level::run(group.clone()));
    tokio::spawn(disk_space::run(group.clone()));
    tokio::spawn(log_retention::run(group.clone()));
    tokio::spawn(inbound_check::run(group.clone()));
    Ok(group)
}

/// Translates the options into openraft's settings.
fn raft_config(options: &Options) -> Result<Config, RaftError> {
    let config = Config {
        cluster_name: "quorate".to_owned(),
        heartbeat_interval: options.heartbeat.as_millis() as u64,
        election_timeout_min: options.election.0.as_millis() as u64,
        election_timeout_max: options.election.1.as_millis() as u64,
        install_snapshot_timeout: INSTALL_SNAPSHOT_TIMEOUT.as_millis() as u64,
        max_payload_entries: ENTRIES_PER_APPEND,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY_ENTRIES),
        max_in_snapshot_log_to_keep: ENTRIES_KEPT,
        replication_lag_threshold: 2 * (SNAPSHOT_EVERY_ENTRIES + ENTRIES_KEPT),
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(false),
        quorum_loss_probe_interval: Some(2 * options.election.1.as_millis() as u64),
        backoff: "100ms 200ms ...400ms".to_owned(),
        ..Config::default()
    };
    config
        .validate()
        .map_err(|error| RaftError::Settings(Arc::new(error)))
}
