//! Raises the level of commands once every voter knows the next one (amendment B17).
//!
//! A release that changes what a command does uses the change only from a level on. Each member tells in its pulse which
//! level it knows; the leader proposes the least of them when it is above the one in use. So nodes of two releases hold
//! equal states while a cluster is upgraded node by node.

use super::group::{Group, paced};
use super::peer::WriteResult;
use crate::clock;
use crate::registry::{Command, LEVEL};
use std::sync::Arc;
use std::time::Duration;

/// Between two looks. Short, since a new group begins at the first level, and its clients are
/// refused more often there ([`Command`]). A look costs next to nothing.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How long a proposal may take; the next look makes another.
const PROPOSAL_TIME: Duration = Duration::from_secs(2);

/// Looks until the group is told to stop.
pub(super) async fn run(group: Arc<Group>) {
    let mut pace = paced(LOOK_INTERVAL);
    while group.next(&mut pace).await {
        let level = level_of_voters(&group);
        if !group.leads() || level <= group.replica.registry().level() {
            continue;
        }
        let proposal = Command::Level(level);
        let deadline = clock::now() + PROPOSAL_TIME;
        if let WriteResult::Done { index, .. } = group.writes.write(proposal, deadline).await {
            tracing::info!(level, index, "every voter knows a higher level of commands");
        }
    }
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
