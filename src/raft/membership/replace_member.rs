//! The leader's task that replaces an emptied node's old incarnation with its new one
//! (docs/decisions/0002).

use super::change::{CHANGE_TIMEOUT, change, finish_joint, is_changing};
use super::learners::{Learners, is_level};
use crate::clock;
use crate::raft::group::join_requests::PendingJoin;
use crate::raft::group::view::RaftView;
use crate::raft::group::{Group, paced};
use crate::raft::log_target;
use crate::raft::transport::identity::NodeIdentity;
use crate::raft::transport::{Hello, PeerClient, Request, Response, WriteResult};
use crate::registry::Command;
use crate::storage::types::{Member, RaftId};
use openraft::ChangeMembers;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Time between two checks for pending work.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// Time without an answer after which an old incarnation counts as dead. A restart takes less time,
/// and must not cost the node its membership.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// Maximum time to wait for the answer to a probe.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// Finishes incomplete membership changes and fulfils join requests while this node leads, until
/// the group stops.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(CHECK_INTERVAL);
    let mut learners = Learners::default();
    while group.next(&mut pace).await {
        if !group.leads() {
            learners.forget();
            continue;
        }
        finish_joint(&group).await;
        remove_idle_learners(&group, &mut learners).await;
        for pending in group.join_requests.due() {
            process_join(&group, pending).await;
        }
    }
}

/// Removes the learners that will not become voters.
async fn remove_idle_learners(group: &Group, learners: &mut Learners) {
    let strays = learners.idle(group);
    if strays.is_empty() || is_changing(group) {
        return;
    }
    let view = group.view().borrow().clone();
    let ids: BTreeSet<RaftId> = strays.iter().map(|(id, _)| *id).collect();
    if !change(group, ChangeMembers::RemoveNodes(ids), "removing a learner").await {
        return;
    }
    for (id, reason) in strays {
        let member = view.members().find(|(member, ..)| *member == id);
        if let Some((_, member, _)) = member {
            tracing::warn!(
                target: log_target::MEMBERSHIP,
                "the learner {member} is removed: {reason}"
            );
        }
    }
}

/// Fulfils a join request step by step. Once the old incarnation is dead, adds the node as a
/// learner. Once the learner has caught up, makes it a voter in place of the old incarnation.
async fn process_join(group: &Group, pending: PendingJoin) {
    let id = pending.name.raft_id();
    let view = group.view().borrow().clone();
    let node_id = pending.name.node_id.clone();
    if view.is_voter(id) {
        group.join_requests.forget(&node_id);
        return;
    }
    let old: Vec<(RaftId, Member)> = view
        .members()
        .filter(|(other, member, _)| *other != id && member.node_id == node_id)
        .map(|(other, member, _)| (other, member.clone()))
        .collect();
    if !predecessor_is_dead(group, &pending, &old).await {
        return;
    }
    if !view.members().any(|(member, ..)| member == id) {
        add(group, &pending, &view).await;
        return;
    }
    if !is_level(group, id) {
        return;
    }
    replace(group, id, &node_id, &old).await;
}

/// Adds a new node as a learner, if the node answers at the address that the other members will
/// use. A node that does not answer would never catch up.
async fn add(group: &Group, pending: &PendingJoin, view: &RaftView) {
    let NodeIdentity {
        node_id,
        incarnation,
    } = pending.name.clone();
    if probe(group, &pending.address).await != ProbeResult::Answered(pending.name.clone()) {
        return;
    }
    // Remove the learners of earlier incarnations first. Their address is now that of the new node,
    // so nothing answers under their names any more.
    let before: BTreeSet<RaftId> = view
        .members()
        .filter(|(_, member, voter)| !voter && member.node_id == node_id)
        .map(|(id, ..)| id)
        .collect();
    if !before.is_empty() {
        let what = "removing the learners of an emptied node";
        change(group, ChangeMembers::RemoveNodes(before), what).await;
        return;
    }
    let id = pending.name.raft_id();
    let member = Member {
        node_id: node_id.clone(),
        incarnation,
        address: pending.address.clone(),
    };
    let adding = group.raft.add_learner(id, member, false);
    match tokio::time::timeout(CHANGE_TIMEOUT, adding).await {
        Ok(Ok(_)) => tracing::info!(
            target: log_target::MEMBERSHIP,
            node = node_id,
            "an emptied node rejoins: it receives the log as a learner"
        ),
        Ok(Err(error)) => {
            tracing::warn!(
                target: log_target::MEMBERSHIP,
                node = node_id, %error, "an emptied node could not be added"
            )
        }
        Err(_) => {}
    }
}

/// Returns whether the old incarnations of a joining node are dead. An old incarnation is dead if
/// the new one answers at its address, or if the old one has not answered there for [`SILENT_FOR`].
async fn predecessor_is_dead(
    group: &Group,
    pending: &PendingJoin,
    old: &[(RaftId, Member)],
) -> bool {
    let node_id = &pending.name.node_id;
    for (id, member) in old {
        if *id == group.raft_id() {
            return false;
        }
        match probe(group, group.peers.address_of(member)).await {
            ProbeResult::Answered(name) if name == pending.name => {}
            ProbeResult::Answered(name)
                if name.incarnation == member.incarnation && name.node_id == *node_id =>
            {
                let reason = format!(
                    "two processes have node.id {node_id}: {} answers at {}, and another \
                     asks to join from {}",
                    name, member.address, pending.address
                );
                if pending.rejection.is_none() {
                    tracing::error!(target: log_target::MEMBERSHIP, "{reason}");
                }
                group.join_requests.update(node_id, |pending| {
                    pending.rejection = Some(reason);
                    // Restart the measurement of the silence, because only an uninterrupted silence
                    // proves that the old incarnation is dead.
                    pending.old_silent_since = None;
                });
                return false;
            }
            // The host name of the old address has never resolved, so nothing shows whether the old
            // incarnation is silent.
            ProbeResult::Unresolved => return false,
            ProbeResult::Answered(_) | ProbeResult::Silent => {
                let now = clock::now();
                let since = pending.old_silent_since.unwrap_or(now);
                group.join_requests.update(node_id, |pending| {
                    pending.old_silent_since = Some(since);
                    pending.rejection = None;
                });
                if now.duration_since(since) < SILENT_FOR {
                    return false;
                }
            }
        }
    }
    group
        .join_requests
        .update(node_id, |pending| pending.rejection = None);
    true
}

/// The result of a probe of an address.
#[derive(Debug, PartialEq, Eq)]
enum ProbeResult {
    /// A node of this name answers.
    Answered(NodeIdentity),
    /// Nothing answers.
    Silent,
    /// The address's host name does not resolve, and never did.
    Unresolved,
}

/// Asks which node answers at an address.
async fn probe(group: &Group, address: &str) -> ProbeResult {
    let hello = Hello::non_member(group.peers.identity());
    let dialer = group.peers.dialer();
    let client = PeerClient::new(address, dialer.clone());
    match client.call(hello, Request::Probe, PROBE_TIMEOUT).await {
        Ok(Response::Probe(view)) => ProbeResult::Answered(view.name),
        Ok(_) => ProbeResult::Silent,
        Err(_) if dialer.is_unknown(address) => ProbeResult::Unresolved,
        Err(_) => ProbeResult::Silent,
    }
}

/// Replaces the old incarnations of a node by its new incarnation. Retires the old raft ids, makes
/// the new incarnation a voter in place of the old ones, and removes the old ones from the members.
async fn replace(group: &Group, id: RaftId, node_id: &str, old: &[(RaftId, Member)]) {
    let old_ids: BTreeSet<RaftId> = old.iter().map(|(id, _)| *id).collect();
    // Retire the old incarnation before it loses its vote. If the leader dies between the two
    // steps, the other members still refuse the old incarnation, so it cannot campaign forever.
    let retire = Command::Retire {
        raft_ids: old_ids.iter().copied().collect(),
    };
    let retired = group
        .write_queue
        .write(retire, clock::now() + CHANGE_TIMEOUT)
        .await;
    if !matches!(retired, WriteResult::Done { .. }) {
        return;
    }
    // Read the voters only now, because the membership may have changed during the probes and the
    // write above, which may take seconds.
    let mut voters: BTreeSet<RaftId> = group
        .view()
        .borrow()
        .membership
        .membership()
        .voter_ids()
        .collect();
    voters.retain(|voter| !old_ids.contains(voter));
    voters.insert(id);
    if !change(
        group,
        ChangeMembers::ReplaceAllVoters(voters),
        "replacing an emptied node",
    )
    .await
    {
        return;
    }
    let learners: BTreeSet<RaftId> = group
        .view()
        .borrow()
        .members()
        .map(|(id, ..)| id)
        .filter(|id| old_ids.contains(id))
        .collect();
    if !learners.is_empty() {
        change(
            group,
            ChangeMembers::RemoveNodes(learners),
            "removing old incarnations",
        )
        .await;
    }
    tracing::info!(
        target: log_target::MEMBERSHIP,
        node = node_id,
        "an emptied node is a voter again, in place of its old incarnation"
    );
}
