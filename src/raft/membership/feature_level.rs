//! The task that raises the feature level of commands once every voter supports a higher level
//! (docs/decisions/0008).
//!
//! A release that changes the effect of a command applies the change only from a certain level on.
//! Each member's status messages report the highest level that the member supports. The leader
//! proposes the highest level that every voter supports, if that level is above the current one.
//! Nodes of two releases therefore have equal states while a cluster is upgraded node by node.

use crate::clock::{self, Instant};
use crate::raft::group::{Group, paced};
use crate::raft::log_target;
use crate::raft::transport::WriteResult;
use crate::registry::{Command, LEVEL, LEVEL_OF_ORDER};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time between two checks. The time is short because a new group begins at the first level, at
/// which more writes of clients are rejected ([`Command`]). A check costs next to nothing.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Maximum time that writes wait after the start of this node's group. Within this time, the
/// members of a new group report to each other the levels that they support.
const FIRST_MOMENT: Duration = Duration::from_secs(1);
/// Deadline of the proposal of a level. If the proposal fails, the next check proposes the level
/// again.
const PROPOSAL_TIME: Duration = Duration::from_secs(2);

/// Proposes a higher level of commands whenever every voter supports one, until the group stops.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(CHECK_INTERVAL);
    while group.next(&mut pace).await {
        let level = level_of_voters(&group);
        if !group.leads() || level <= group.replica.registry().level() {
            continue;
        }
        let proposal = Command::Level(level);
        let deadline = clock::now() + PROPOSAL_TIME;
        if let WriteResult::Done { index, .. } = group.write_queue.write(proposal, deadline).await {
            tracing::info!(
                target: log_target::LEVEL,
                level, index, "every voter knows a higher level of commands"
            );
        }
    }
}

/// Delays a write during the group's first second on this node, until the group is at
/// [`LEVEL_OF_ORDER`]. From this level on, writes are ordered.
///
/// A new group begins at the first level, at which many writes would be rejected. The level rises
/// as soon as the members have reported the levels that they support. The delay also ends when a
/// voter is known to support only a lower level, for example during an upgrade of the cluster.
pub(crate) async fn settled(group: &Group, deadline: Instant) {
    if !group.is_settled.load(Ordering::Relaxed) {
        // Boxed, since it is needed only in the first second, and each waiting write has this
        // future.
        Box::pin(settle(group, deadline)).await;
    }
}

/// Waits as [`settled`] describes.
async fn settle(group: &Group, deadline: Instant) {
    let mut applied = group.replica.applied();
    let end = group.started + FIRST_MOMENT;
    while !is_settled(group) && clock::now() < end {
        let limit = deadline.min(end).min(clock::now() + CHECK_INTERVAL);
        // The loop checks again both after a change and after a timeout.
        let _ = tokio::time::timeout_at(limit, applied.changed()).await;
        if clock::now() >= deadline {
            return;
        }
    }
    group.is_settled.store(true, Ordering::Relaxed);
}

/// Returns whether writes need not wait: the level is reached, or a voter of an older release
/// prevents it.
fn is_settled(group: &Group) -> bool {
    let view = group.view();
    let view = view.borrow();
    let is_older = |level| (1..LEVEL_OF_ORDER).contains(&level);
    group.replica.registry().level() >= LEVEL_OF_ORDER
        || view
            .members()
            .any(|(id, _, voter)| voter && is_older(group.peers.state(id).level))
}

/// Returns the highest level that every voter is known to support.
fn level_of_voters(group: &Group) -> u32 {
    let view = group.view();
    let view = view.borrow();
    view.members()
        .filter(|(_, _, voter)| *voter)
        .map(|(id, ..)| match id == group.raft_id() {
            true => LEVEL,
            false => group.peers.state(id).level,
        })
        .min()
        .unwrap_or(0)
}
