//! The lifecycle of a node. A node finds its group, runs in the group, and starts over if the
//! founding of the group failed.

use super::bootstrap::group_discovery::Bootstrap;
use super::bootstrap::initialize;
use super::error::{RaftError, StorageFailure};
use super::group::Group;
use super::peer_service::{RaftPeerService, founders};
use super::tasks;
use super::transport::peers::Peers;
use crate::locks::write;
use crate::storage::GroupIdentity;
use openraft::async_runtime::WatchReceiver;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Finds the group and runs this node in it until `stop` is set. Starts over when the founding of
/// the group failed.
///
/// # Errors
/// The reason why the process must end.
pub(super) async fn run(
    service: &RaftPeerService,
    stop: &watch::Sender<bool>,
) -> Result<(), RaftError> {
    let bootstrap = &service.bootstrap;
    loop {
        let identity = bootstrap.discover_group().await?;
        let group = start_group(bootstrap, &identity).await?;
        *write(&service.group) = Some(group.clone());
        initialize::spawn_tasks(group.clone(), bootstrap.clone(), identity.joined_late);
        let is_orphaned = watch_over(bootstrap, &group, &identity, stop).await?;
        if !is_orphaned {
            return Ok(());
        }
        *write(&service.group) = None;
        group.shut_down().await;
        bootstrap.reset().await?;
    }
}

/// Starts openraft and the tasks of the group with this identity.
async fn start_group(
    bootstrap: &Bootstrap,
    identity: &GroupIdentity,
) -> Result<Arc<Group>, RaftError> {
    let options = bootstrap.options.clone();
    let inventory: BTreeMap<String, String> = options
        .inventory
        .iter()
        .flat_map(|inventory| &inventory.entries)
        .map(|entry| (entry.node_id.clone(), entry.address.clone()))
        .collect();
    let peers = Peers::new(
        bootstrap.local_member(),
        identity.cluster_id,
        inventory,
        bootstrap.dialer(),
    );
    tasks::start(options, Arc::new(peers), founders(identity)).await
}

/// Waits for the end of a group. Fails on an error, returns `false` on a stop, and `true` when the
/// founding of the group failed.
async fn watch_over(
    bootstrap: &Bootstrap,
    group: &Arc<Group>,
    identity: &GroupIdentity,
    stop: &watch::Sender<bool>,
) -> Result<bool, RaftError> {
    let mut fatal = group.peers.fatal();
    let mut failed = group.store().failed();
    let metrics = group.raft.metrics();
    // The server metrics change when openraft ends, and otherwise rarely. The full metrics would
    // wake the loop below at each iteration of openraft's core loop.
    let mut running_changes = group.raft.server_metrics();
    let mut stop = stop.subscribe();
    // Create this future once, outside the loop, because its timer must outlive the iterations.
    let orphaned = initialize::orphaned(group, bootstrap, identity);
    tokio::pin!(orphaned);
    loop {
        tokio::select! {
            reason = fatal.wait_for(Option::is_some) => {
                if let Some(reason) = reason.ok().and_then(|reason| reason.clone()) {
                    return Err(reason);
                }
            }
            failure = failed.wait_for(Option::is_some) => {
                if let Some(failure) = failure.ok().and_then(|failure| failure.clone()) {
                    return Err(StorageFailure::Disk(failure).into());
                }
            }
            changed = running_changes.changed() => {
                let running = metrics.borrow_watched().running_state.clone();
                if *stop.borrow() {
                    return Ok(false);
                }
                if let Err(fatal) = running {
                    return Err(StorageFailure::Failed(Arc::new(fatal)).into());
                }
                if changed.is_err() {
                    return Err(StorageFailure::Ended.into());
                }
            }
            () = &mut orphaned => return Ok(true),
            _ = stop.changed() => {}
        }
    }
}
