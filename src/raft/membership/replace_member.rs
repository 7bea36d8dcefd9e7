//! Replaces an emptied node's old incarnation by its new one, on the leader (docs/decisions/0002).

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

/// Between two looks at what is to be done.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// The old incarnation counts as dead when its address has been silent for this long. A restart
/// takes less, and must not cost the node its membership.
const SILENT_FOR: Duration = Duration::from_secs(30);
const LOOK_TIMEOUT: Duration = Duration::from_millis(500);

/// While this node leads: finishes changes left half done and fulfils wishes, until the group is gone.
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

/// Adds a newcomer as a learner, once it answers where the others will look for it: what cannot be
/// reached would never become level.
async fn add(group: &Group, heard: &Heard, view: &View) {
    let NodeName {
        node_id,
        incarnation,
    } = heard.name.clone();
    if look(group, &heard.address).await != Looked::At(heard.name.clone()) {
        return;
    }
    // Learners of incarnations before are behind the newcomer's address, and nothing answers as
    // them any more.
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
            "an emptied node comes back: it receives the log as a learner"
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

/// The old incarnation must not answer any more: its address answers as the newcomer, or has been silent for long.
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
                    "two processes have node.id {node_id}: {} answers at {}, and another asks to join from {}",
                    name, member.address, heard.address
                );
                if heard.refusal.is_none() {
                    tracing::error!(target: log_target::MEMBERSHIP, "{reason}");
                }
                group.wishes.update(node_id, |heard| {
                    heard.refusal = Some(reason);
                    // Silence is counted anew: only one stretch of it says that the old self is gone.
                    heard.old_silent_since = None;
                });
                return false;
            }
            // Where it is nobody knows, so that nobody heard it be silent.
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

/// What was found at an address.
#[derive(Debug, PartialEq, Eq)]
enum Looked {
    /// A node of this name.
    At(NodeName),
    /// Nothing that answers.
    Silent,
    /// Its name does not resolve, and never did.
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
    // Retired first: a leader that dies in between leaves an old self that is refused, not one that campaigns for ever.
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
    // Looked at now: the looks and the write before may have taken seconds.
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
        "an emptied node is a voter again, in the place of its old self"
    );
}
