//! Starts openraft and the tasks around it.

use super::apply::state_machine::StateMachine;
use super::consensus::{proposer, read_index};
use super::error::StartError;
use super::group::view::View;
use super::group::{Group, Raft};
use super::membership::{feature_level, replace_member};
use super::monitor::{
    disk_space, inbound_check, log_retention, peer_status, raft_metrics, serving_watchdog, ticker,
};
use super::options::Options;
use super::transport::identity::NodeName;
use super::transport::peers::Peers;
use super::transport::raft_network::Network;
use openraft::async_runtime::WatchReceiver;
use openraft::{Config, SnapshotPolicy, StorageHelper};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A snapshot after so many entries, or sooner (`log_retention`): a restart replays at most this many and those kept for stragglers.
const SNAPSHOT_EVERY_ENTRIES: u64 = 5_000;
/// Entries kept behind a snapshot where they are small (`log_retention`), so that a node that was away for half a minute under full
/// load needs no snapshot. A purge up to a snapshot of one's own does not overtake an apply (openraft #2116): what is covered was
/// submitted before.
const ENTRIES_KEPT: u64 = 10_000;
/// Maximum entries of one append. The log reader cuts it at a megabyte: openraft limits no bytes,
/// and would send again, without end, what a slow link cannot carry in time.
const ENTRIES_PER_APPEND: u64 = 300;
/// How long installing a snapshot may take on a slow disk before openraft starts over.
const INSTALL_SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens the replica and starts openraft and the tasks around it.
///
/// # Errors
/// When the disk's contents cannot be trusted, or openraft refuses the settings.
pub(super) async fn start(
    options: Options,
    peers: Arc<Peers>,
    founders: Vec<(NodeName, String)>,
) -> Result<Arc<Group>, StartError> {
    let store = options.store.clone();
    let (mut machine, replica) = StateMachine::open(
        store.snapshots(),
        &options.environment,
        peers.cluster_id(),
        options.recovery_gap,
        options.beat.clone(),
    )
    .await?;
    // From the disk: openraft tells its membership only once it runs, and then this node may vote.
    let membership = StorageHelper::new(&mut store.log_store(), &mut machine)
        .get_membership()
        .await
        .map_err(|error| StartError::Storage(error.to_string()))?
        .effective()
        .clone();
    let config = Arc::new(raft_config(&options)?);
    let network = Network::new(peers.clone());
    let raft = Raft::build(peers.raft_id(), config, network, store.log_store(), machine)
        .await
        .map_err(|error| StartError::Storage(error.to_string()))?;
    peers.greet_members(&membership).await;
    if let Some(condemned) = peers.condemned().borrow().clone() {
        return Err(condemned);
    }
    raft.run();
    let (sender, view) = watch::channel(View::of(&raft.metrics().borrow_watched()));
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

fn raft_config(options: &Options) -> Result<Config, StartError> {
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
        .map_err(|error| StartError::Settings(error.to_string()))
}
