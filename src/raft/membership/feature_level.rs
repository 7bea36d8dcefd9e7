//! Raises the level of commands once every voter knows the next one (docs/decisions/0008).
//!
//! A release that changes what a command does uses the change only from a level on. Each member tells in its pulse which
//! level it knows; the leader proposes the least of them when it is above the one in use. So nodes of two releases hold
//! equal states while a cluster is upgraded node by node.

use crate::clock::{self, Instant};
use crate::raft::group::{Group, paced};
use crate::raft::log_target;
use crate::raft::transport::WriteResult;
use crate::registry::{Command, LEVEL, LEVEL_OF_ORDER};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Between two looks. Short, since a new group begins at the first level, and its clients are
/// refused more often there ([`Command`]). A look costs next to nothing.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How long the members of a new group take at most to tell each other which level they know.
const FIRST_MOMENT: Duration = Duration::from_secs(1);
/// How long a proposal may take; the next look makes another.
const PROPOSAL_TIME: Duration = Duration::from_secs(2);

/// Looks until the group is told to stop.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(LOOK_INTERVAL);
    while group.next(&mut pace).await {
        let level = level_of_voters(&group);
        if !group.leads() || level <= group.replica.registry().level() {
            continue;
        }
        let proposal = Command::Level(level);
        let deadline = clock::now() + PROPOSAL_TIME;
        if let WriteResult::Done { index, .. } = group.writes.write(proposal, deadline).await {
            tracing::info!(
                target: log_target::LEVEL,
                level, index, "every voter knows a higher level of commands"
            );
        }
    }
}

/// Waits for the level at which writes have their order, in the first moment of a group.
///
/// A new group begins at the first level, and raises it as soon as its members have told each other
/// what they know. A write that comes before that would often be refused. Nobody waits where a voter
/// is known not to know that level, as while a cluster is upgraded, nor once the moment is over.
pub(crate) async fn settled(group: &Group, deadline: Instant) {
    if group.is_settled.load(Ordering::Relaxed) {
        return;
    }
    let mut applied = group.replica.applied();
    let end = group.started + FIRST_MOMENT;
    while !is_settled(group) && clock::now() < end {
        let limit = deadline.min(end).min(clock::now() + LOOK_INTERVAL);
        // Either way it is looked again.
        let _ = tokio::time::timeout_at(limit, applied.changed()).await;
        if clock::now() >= deadline {
            return;
        }
    }
    group.is_settled.store(true, Ordering::Relaxed);
}

fn is_settled(group: &Group) -> bool {
    let view = group.view();
    let view = view.borrow();
    let is_older = |level| (1..LEVEL_OF_ORDER).contains(&level);
    group.replica.registry().level() >= LEVEL_OF_ORDER
        || view
            .members()
            .any(|(id, _, voter)| voter && is_older(group.peers.known(id).level))
}

/// The highest level that every voter is known to know.
fn level_of_voters(group: &Group) -> u32 {
    let view = group.view();
    let view = view.borrow();
    view.members()
        .filter(|(_, _, voter)| *voter)
        .map(|(id, ..)| match id == group.raft_id() {
            true => LEVEL,
            false => group.peers.known(id).level,
        })
        .min()
        .unwrap_or(0)
}
