//! The leader puts an emptied node in the place of its old self (design 6, amendment B12).

use super::group::{Group, paced};
use super::identity::NodeName;
use super::leader::View;
use super::locks::lock;
use super::peer::{Answer, Hello, JoinAnswer, JoinWish, Lane, Link, Request, WriteResult};
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
/// The old incarnation is taken for dead when its address is silent for this long (amendment B12).
const SILENT_FOR: Duration = Duration::from_secs(30);
/// A learner this close to the end of the log is level.
const LEVEL_WITHIN_ENTRIES: u64 = 16;
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
    address: String,
    at: Instant,
    old_silent_since: Option<Instant>,
    refusal: Option<String>,
}

/// Takes a wish, or passes it to the leader.
pub(super) async fn take_wish(group: &Group, wish: JoinWish) -> JoinAnswer {
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
    if !view
        .members()
        .any(|(_, member, _)| member.node_id == *node_id)
    {
        return JoinAnswer::Refused(format!(
            "the group does not hold a node {node_id}; its members are {}",
            member_names(view)
        ));
    }
    if !group.options.auto_rejoin {
        return JoinAnswer::Refused(format!(
            "cluster.auto-rejoin is false on {}: an emptied node is not taken back by itself",
            group.options.node_id
        ));
    }
    let mut wishes = lock(&group.wishes.by_node);
    let heard = wishes.entry(node_id.clone()).or_insert_with(|| Heard {
        name: wish.name.clone(),
        address: wish.address.clone(),
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
    heard.address = wish.address;
    match &heard.refusal {
        Some(reason) => JoinAnswer::Refused(reason.clone()),
        None => JoinAnswer::Pending {
            cluster_id,
            founders,
        },
    }
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
    while group.next(&mut pace).await {
        if !group.leads() {
            continue;
        }
        finish_joint(&group).await;
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
        let member = Member {
            node_id: node_id.clone(),
            incarnation: heard.name.incarnation,
            address: heard.address.clone(),
        };
        let added =
            tokio::time::timeout(CHANGE_TIMEOUT, group.raft.add_learner(id, member, false)).await;
        match added {
            Ok(Ok(_)) => tracing::info!(
                node = node_id,
                "an emptied node comes back: it receives the log as a learner"
            ),
            Ok(Err(error)) => {
                tracing::warn!(node = node_id, %error, "an emptied node could not be added")
            }
            Err(_) => {}
        }
        return;
    }
    if !is_level(group, id) {
        return;
    }
    replace(group, id, &node_id, &old).await;
}

/// The old incarnation must not answer any more: its address answers as the newcomer, or has been silent for long.
async fn old_is_gone(group: &Group, heard: &Heard, old: &[(RaftId, Member)]) -> bool {
    let node_id = &heard.name.node_id;
    for (id, member) in old {
        if *id == group.raft_id() {
            return false;
        }
        match look(group, group.peers.address_of(member)).await {
            Some(name) if name == heard.name => {}
            Some(name) if name.incarnation == member.incarnation && name.node_id == *node_id => {
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
            _ => {
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

async fn look(group: &Group, address: &str) -> Option<NodeName> {
    let hello = Hello::stranger(group.peers.introduction());
    match Link::new(address, group.options.dialer())
        .call(hello, Request::Look, LOOK_TIMEOUT)
        .await
    {
        Ok(Answer::Look(view)) => Some(view.name),
        Ok(_) | Err(_) => None,
    }
}

fn is_level(group: &Group, id: RaftId) -> bool {
    let metrics = group.raft.metrics();
    let metrics = metrics.borrow_watched();
    let matched = metrics
        .replication
        .as_ref()
        .and_then(|matched| matched.get(&id).cloned().flatten());
    match (matched, metrics.last_log_index) {
        (Some(matched), Some(last)) => matched.index() + LEVEL_WITHIN_ENTRIES >= last,
        _ => false,
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
