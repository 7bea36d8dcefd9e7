//! The leader's task that replaces an emptied node's old incarnation with its new one
//! (docs/decisions/0002).

use super::change::{CHANGE_TIMEOUT, change, finish_joint, is_changing};
use super::learners::{Newcomers, is_level};
use crate::clock;
use crate::raft::group::join_requests::Heard;
use crate::raft::group::view::View;
use crate::raft::group::{Group, paced};
use crate::raft::log_target;
use crate::raft::transport::identity::NodeName;
use crate::raft::transport::{Answer, Hello, Link, Request, WriteResult};
use crate::registry::Command;
use crate::storage::types::{Member, RaftId};
use openraft::ChangeMembers;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Time between two checks for pending work.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// The silence of its address after which the old incarnation counts as dead. A restart takes less
/// time, and must not cost the node its membership.
const SILENT_FOR: Duration = Duration::from_secs(30);
const LOOK_TIMEOUT: Duration = Duration::from_millis(500);

/// Finishes incomplete membership changes and fulfils join requests while this node leads, until
/// the group stops.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(LOOK_INTERVAL);
    let mut newcomers = Newcomers::default();
    while group.next(&mut pace).await {
        if !group.leads() {
            newcomers.forget();
            continue;
        }
        finish_joint(&group).await;
        remove_strays(&group, &mut newcomers).await;
        for heard in group.wishes.due() {
            fulfil(&group, heard).await;
        }
    }
}

/// Removes the learners that will not become voters.
async fn remove_strays(group: &Group, newcomers: &mut Newcomers) {
    let strays = newcomers.look(group);
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

async fn fulfil(group: &Group, heard: Heard) {
    let id = heard.name.raft_id();
    let view = group.view().borrow().clone();
    let node_id = heard.name.node_id.clone();
    if view.is_voter(id) {
        group.wishes.forget(&node_id);
        return;
    }
    let old: Vec<(RaftId, Member)> = view
        .members()
        .filter(|(other, member, _)| *other != id && member.node_id == node_id)
        .map(|(other, member, _)| (other, member.clone()))
        .collect();
    if !old_is_gone(group, &heard, &old).await {
        return;
    }
    if !view.members().any(|(member, ..)| member == id) {
        add(group, &heard, &view).await;
        return;
    }
    if !is_level(group, id) {
        return;
    }
    replace(group, id, &node_id, &old).await;
}

/// Adds a new node as a learner, once it answers at the address that the other members will use. A
/// node that cannot be reached would never catch up.
async fn add(group: &Group, heard: &Heard, view: &View) {
    let NodeName {
        node_id,
        incarnation,
    } = heard.name.clone();
    if look(group, &heard.address).await != Looked::At(heard.name.clone()) {
        return;
    }
    // Learners of earlier incarnations have the same address as the new node, and nothing answers
    // under their names any more.
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
    let id = heard.name.raft_id();
    let member = Member {
        node_id: node_id.clone(),
        incarnation,
        address: heard.address.clone(),
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

/// Returns whether the old incarnation is gone: its address answers as the new node, or has been
/// silent for [`SILENT_FOR`].
async fn old_is_gone(group: &Group, heard: &Heard, old: &[(RaftId, Member)]) -> bool {
    let node_id = &heard.name.node_id;
    for (id, member) in old {
        if *id == group.raft_id() {
            return false;
        }
        match look(group, group.peers.address_of(member)).await {
            Looked::At(name) if name == heard.name => {}
            Looked::At(name)
                if name.incarnation == member.incarnation && name.node_id == *node_id =>
            {
                let reason = format!(
                    "two processes have node.id {node_id}: {} answers at {}, and another \
                     asks to join from {}",
                    name, member.address, heard.address
                );
                if heard.refusal.is_none() {
                    tracing::error!(target: log_target::MEMBERSHIP, "{reason}");
                }
                group.wishes.update(node_id, |heard| {
                    heard.refusal = Some(reason);
                    // Restart the count of silence: only one uninterrupted silence proves that the
                    // old incarnation is gone.
                    heard.old_silent_since = None;
                });
                return false;
            }
            // The address is unknown, so no silence was observed there.
            Looked::Nowhere => return false,
            Looked::At(_) | Looked::Silent => {
                let now = clock::now();
                let since = heard.old_silent_since.unwrap_or(now);
                group.wishes.update(node_id, |heard| {
                    heard.old_silent_since = Some(since);
                    heard.refusal = None;
                });
                if now.duration_since(since) < SILENT_FOR {
                    return false;
                }
            }
        }
    }
    group.wishes.update(node_id, |heard| heard.refusal = None);
    true
}

/// The result of a probe of an address.
#[derive(Debug, PartialEq, Eq)]
enum Looked {
    /// A node of this name answers.
    At(NodeName),
    /// Nothing answers.
    Silent,
    /// The address's host name does not resolve, and never did.
    Nowhere,
}

async fn look(group: &Group, address: &str) -> Looked {
    let hello = Hello::stranger(group.peers.introduction());
    let dialer = group.peers.dialer();
    let link = Link::new(address, dialer.clone());
    match link.call(hello, Request::Look, LOOK_TIMEOUT).await {
        Ok(Answer::Look(view)) => Looked::At(view.name),
        Ok(_) => Looked::Silent,
        Err(_) if dialer.is_unknown(address) => Looked::Nowhere,
        Err(_) => Looked::Silent,
    }
}

async fn replace(group: &Group, id: RaftId, node_id: &str, old: &[(RaftId, Member)]) {
    let old_ids: BTreeSet<RaftId> = old.iter().map(|(id, _)| *id).collect();
    // Retire the old incarnation first. If the leader dies in between, that leaves an old
    // incarnation that is refused, not one that campaigns forever.
    let retire = Command::Retire {
        raft_ids: old_ids.iter().copied().collect(),
    };
    let retired = group
        .writes
        .write(retire, clock::now() + CHANGE_TIMEOUT)
        .await;
    if !matches!(retired, WriteResult::Done { .. }) {
        return;
    }
    // Read the voters only now: the probes and the write above may have taken seconds.
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
