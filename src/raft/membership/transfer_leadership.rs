//! Leadership handed to another voter, before a stop or when the disk is full.

use crate::raft::group::Group;
use crate::storage::types::RaftId;
use openraft::Instant as _;
use openraft::async_runtime::WatchReceiver;
use std::time::Duration;

/// Leadership goes to a voter heard within two heartbeats: a transfer to one that is gone would
/// never complete.
const HEARTBEATS: u32 = 2;
/// How long the others may take to show that one of them leads.
const HAND_OVER_TIMEOUT: Duration = Duration::from_millis(1_000);

/// Hands leadership over, if this node leads and another voter can take it. Whether another leads then.
pub(crate) async fn hand_over(group: &Group) -> bool {
    if !group.leads() {
        return true;
    }
    let Some(successor) = successor(group) else {
        return false;
    };
    let own = group.raft_id();
    if group
        .raft
        .trigger()
        .transfer_leader(successor)
        .await
        .is_err()
    {
        return false;
    }
    let mut view = group.view();
    let another_leads =
        view.wait_for(|view| view.leader.as_ref().is_some_and(|leader| leader.id != own));
    matches!(
        tokio::time::timeout(HAND_OVER_TIMEOUT, another_leads).await,
        Ok(Ok(_))
    )
}

/// The voter that holds the most of the log among those heard just now.
fn successor(group: &Group) -> Option<RaftId> {
    let metrics = group.raft.metrics().borrow_watched().clone();
    let heard = metrics.heartbeat?;
    let matched = metrics.replication?;
    let recent = group.options.heartbeat * HEARTBEATS;
    metrics
        .membership_config
        .membership()
        .voter_ids()
        .filter(|id| *id != group.raft_id() && !group.peers.known(*id).disk_low)
        .filter(|id| {
            heard
                .get(id)
                .and_then(|at| *at)
                .is_some_and(|at| at.elapsed() <= recent)
        })
        .max_by_key(|id| matched.get(id).cloned().flatten())
}
