//! Replaces an emptied node's old incarnation by its new one, on the leader (docs/decisions/0002).

use super::group::{Group, paced};
use super::identity::NodeName;
use super::leader::View;
use super::locks::lock;
use super::newcomers::{Newcomers, is_level};
use super::peer::{Answer, Hello, JoinAnswer, JoinWish, Lane, Link, Request, WriteResult};
use super::peer_checks;
use super::types::{Member, RaftId};
use crate::clock::{self, Instant};
use crate::registry::Command;
use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Between two looks at what is to be done.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// A newcomer repeats its wish twice a second; one that has not for this long is gone.
const WISH_AGE: Duration = Duration::from_secs(5);
/// The old incarnation counts as dead when its address has been silent for this long. A restart
/// takes less, and must not cost the node its membership.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// One change of membership. What a leader leaves half done, the next finishes.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);
const LOOK_TIMEOUT: Duration = Duration::from_millis(500);

/// The wishes that the leader has heard, by `node.id`. Bounded: only ids of the group are kept.
#[derive(Default)]
pub(super) struct Wishes {
    by_node: Mutex<BTreeMap<String, Heard>>,
}

#[derive(Debug, Clone)]
struct Heard {
    name: NodeName,
    /// Where the leader's inventory has it. What a newcomer says of its own address is not taken.
    address: String,
    at: Instant,
    old_silent_since: Option<Instant>,
    refusal: Option<String>,
}

impl Wishes {
    /// When a node of this id last asked to join.
    pub(super) fn asked(&self, node_id: &str) -> Option<Instant> {
        lock(&self.by_node).get(node_id).map(|heard| heard.at)
    }
}

/// Takes a wish, or passes it to the leader.
pub(super) async fn take_wish(group: &Group, wish: JoinWish) -> JoinAnswer {
    if let Err(reason) = peer_checks::wish(&wish, &group.options.environment) {
        return JoinAnswer::Refused(reason);
    }
    let view = group.view().borrow().clone();
    match &view.leader {
        None => JoinAnswer::Refused("the group has no leader now".to_owned()),
        Some(leader) if leader.id == group.raft_id() => judge_wish(group, &view, wish),
        Some(leader) => {
            let request = Request::Join(wish);
            match group
                .ask_leader(leader, Lane::Control, request, LOOK_TIMEOUT)
                .await
            {
                Ok(Answer::Join(answer)) => answer,
                Ok(_) => JoinAnswer::Refused("the leader answered something else".to_owned()),
                Err(error) => JoinAnswer::Refused(format!("the leader cannot be asked: {error}")),
            }
        }
    }
}

fn judge_wish(group: &Group, view: &View, wish: JoinWish) -> JoinAnswer {
    let id = wish.name.raft_id();
    let cluster_id = group.peers.cluster_id();
    let founders = group.founders().to_vec();
    if view.is_voter(id) {
        return JoinAnswer::Voter {
            cluster_id,
            founders,
        };
    }
    let node_id = &wish.name.node_id;
    if group.replica.registry().is_retired(id) {
        return JoinAnswer::Refused(format!("{} was replaced by a newer incarnation", wish.name));
    }
    let Some(address) = vouched_address(group, view, node_id) else {
        return JoinAnswer::Refused(format!(
            "the group does not hold a node {node_id}; its members are {}. A node is added to the \
             inventory of all and the group formed anew, by the recipe of \"A majority is lost\" in \
             docs/OPERATIONS.md; one that takes a member's place needs that member's node.id",
            member_names(view)
        ));
    };
    if !group.options.auto_rejoin {
        return JoinAnswer::Refused(format!(
            "cluster.auto-rejoin is false on {}: an emptied node is not taken back by itself. Set it \
             to true there and restart that node, or put the node's disk back",
            group.options.node_id
        ));
    }
    let mut wishes = lock(&group.wishes.by_node);
    let heard = wishes.entry(node_id.clone()).or_insert_with(|| Heard {
        name: wish.name.clone(),
        address: address.clone(),
        at: clock::now(),
        old_silent_since: None,
        refusal: None,
    });
    if heard.name != wish.name {
        *heard = Heard {
            name: wish.name,
            old_silent_since: None,
            refusal: None,
            ..heard.clone()
        };
    }
    heard.at = clock::now();
    heard.address = address;
    match &heard.refusal {
        Some(reason) => JoinAnswer::Refused(reason.clone()),
        None => JoinAnswer::Pending {
            cluster_id,
            founders,
        },
    }
}

/// Where a node of the group is reached: as this node's inventory has it, or, without one, as the
/// log has it. A node may see itself under another name, and anyone can claim an address.
fn vouched_address(group: &Group, view: &View, node_id: &str) -> Option<String> {
    let mut members = view.members();
    let (_, member, _) = members.find(|(_, member, _)| member.node_id == *node_id)?;
    let address = group.peers.inventory_address(node_id);
    Some(address.unwrap_or(&member.address).to_owned())
}

fn member_names(view: &View) -> String {
    let names: BTreeSet<&str> = view
        .members()
        .map(|(_, member, _)| member.node_id.as_str())
        .collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// While this node leads: finishes changes left half done and fulfils wishes, until the group is gone.
pub(super) async fn run(group: Arc<Group>) {
    let mut pace = paced(LOOK_INTERVAL);
    let mut newcomers = Newcomers::default();
    while group.next(&mut pace).await {
        if !group.leads() {
            newcomers.forget();
            continue;
        }
        finish_joint(&group).await;
        remove_strays(&group, &mut newcomers).await;
        for heard in due_wishes(&group) {
            fulfil(&group, heard).await;
        }
    }
}

fn due_wishes(group: &Group) -> Vec<Heard> {
    let now = clock::now();
    let mut wishes = lock(&group.wishes.by_node);
    wishes.retain(|_, heard| now.duration_since(heard.at) < WISH_AGE);
    wishes.values().cloned().collect()
}

fn update(group: &Group, node_id: &str, change: impl FnOnce(&mut Heard)) {
    if let Some(heard) = lock(&group.wishes.by_node).get_mut(node_id) {
        change(heard);
    }
}

/// A leader that died between the two steps of a change leaves a joint membership: propose its second half.
async fn finish_joint(group: &Group) {
    let second = {
        let metrics = group.raft.metrics();
        let metrics = metrics.borrow_watched();
        let configs = metrics.membership_config.membership().get_joint_config();
        if configs.len() < 2 || metrics.committed_membership_config != metrics.membership_config {
            return;
        }
        configs[configs.len() - 1].clone()
    };
    change(
        group,
        ChangeMembers::ReplaceAllVoters(second),
        "finishing a change of membership",
    )
    .await;
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
            tracing::warn!("the learner {member} is removed: {reason}");
        }
    }
}

/// Whether a change of the membership is under way.
fn is_changing(group: &Group) -> bool {
    let metrics = group.raft.metrics();
    let metrics = metrics.borrow_watched();
    let effective = &metrics.membership_config;
    effective.membership().get_joint_config().len() > 1
        || metrics.committed_membership_config != *effective
}

async fn fulfil(group: &Group, heard: Heard) {
    let id = heard.name.raft_id();
    let view = group.view().borrow().clone();
    let node_id = heard.name.node_id.clone();
    if view.is_voter(id) {
        lock(&group.wishes.by_node).remove(&node_id);
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
            node = node_id,
            "an emptied node comes back: it receives the log as a learner"
        ),
        Ok(Err(error)) => {
            tracing::warn!(node = node_id, %error, "an emptied node could not be added")
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
                    tracing::error!("{reason}");
                }
                update(group, node_id, |heard| {
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
                update(group, node_id, |heard| {
                    heard.old_silent_since = Some(since);
                    heard.refusal = None;
                });
                if now.duration_since(since) < SILENT_FOR {
                    return false;
                }
            }
        }
    }
    update(group, node_id, |heard| heard.refusal = None);
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
        node = node_id,
        "an emptied node is a voter again, in the place of its old self"
    );
}

async fn change(group: &Group, members: ChangeMembers<RaftId, Member>, what: &str) -> bool {
    match tokio::time::timeout(CHANGE_TIMEOUT, group.raft.change_membership(members, false)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "{what} failed and is tried again");
            false
        }
        Err(_) => {
            tracing::warn!("{what} takes long and is tried again");
            false
        }
    }
}
