//! Transfer of the leadership to another voter, before a stop or when the disk is full.

use crate::raft::group::Group;
use crate::storage::types::RaftId;
use openraft::Instant as _;
use openraft::async_runtime::WatchReceiver;
use std::time::Duration;

/// Number of heartbeat intervals within which a voter must have answered to receive the leadership.
/// A transfer to a voter that is down would never complete.
const HEARTBEATS: u32 = 2;
/// Maximum time to wait until another node is seen to lead.
const TRANSFER_TIMEOUT: Duration = Duration::from_millis(1_000);

/// Transfers the leadership if this node leads and another voter can take over. Returns `true` if
/// another node is then seen to lead, or if this node did not lead.
pub(crate) async fn run(group: &Group) -> bool {
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
        tokio::time::timeout(TRANSFER_TIMEOUT, another_leads).await,
        Ok(Ok(_))
    )
}

/// Returns the voter with the longest log among those that answered recently.
fn successor(group: &Group) -> Option<RaftId> {
    let metrics = group.raft.metrics().borrow_watched().clone();
    let pending = metrics.heartbeat?;
    let matched = metrics.replication?;
    let recent = group.options.heartbeat * HEARTBEATS;
    metrics
        .membership_config
        .membership()
        .voter_ids()
        .filter(|id| *id != group.raft_id() && !group.peers.state(*id).disk_low)
        .filter(|id| {
            pending
                .get(id)
                .and_then(|at| *at)
                .is_some_and(|at| at.elapsed() <= recent)
        })
        .max_by_key(|id| matched.get(id).cloned().flatten())
}
