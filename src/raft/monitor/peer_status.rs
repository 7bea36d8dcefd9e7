//! The exchange of status messages. Twice a second, each member reports its applied index and the
//! digests of its state to the other members.

use super::corruption_check::{DigestVerdict, compare};
use super::member_facts;
use crate::clock;
use crate::raft::apply::replica::DIGESTS_KEPT;
use crate::raft::error::RaftError;
use crate::raft::group::{Group, paced};
use crate::raft::transport::{Channel, PeerStatus, ReportedFacts, Request, Response, StateDigest};
use crate::registry::LEVEL;
use crate::storage::types::{Member, RaftId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time between two status messages.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);
/// Timeout of a status message. A peer answers it immediately or not at all.
pub(crate) const STATUS_TIMEOUT: Duration = Duration::from_millis(400);
/// Deadline of the periodic read in `read_for_itself`. A slower read would not count as recent.
const READ_DEADLINE: Duration = Duration::from_millis(900);

/// Exchanges status messages until the group stops.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(STATUS_INTERVAL);
    let mut last_digests: BTreeMap<RaftId, Vec<StateDigest>> = BTreeMap::new();
    let mut view = group.view();
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            // Exchange status messages with a new member immediately, so that the known state of
            // each member is correct right after a start.
            changed = view.changed() => if changed.is_err() { return },
            () = group.stopping() => return,
        }
        tokio::spawn(read_for_itself(group.clone()));
        let members = other_members(&group);
        group
            .peers
            .retain(|id| members.iter().any(|(member, ..)| *member == id));
        last_digests.retain(|id, _| members.iter().any(|(member, ..)| member == id));
        for (id, status, facts) in exchange(&group, &members).await {
            let own = group.replica.registry().applied_index();
            group.peers.note_applied(id, status.applied, own);
            group.replica.evidence().note_committed(status.applied);
            group.peers.note_report(id, &status, facts);
            let mut digests = status.digests;
            digests.truncate(DIGESTS_KEPT);
            last_digests.insert(id, digests);
        }
        if let DigestVerdict::Stop(divergence) = compare(&group, &last_digests) {
            group.peers.set_fatal(RaftError::Diverged(divergence));
        }
    }
}

/// Returns this node's own status, without the facts that people read.
pub(crate) fn own(group: &Group) -> PeerStatus {
    PeerStatus {
        applied: group.replica.registry().applied_index(),
        disk_low: group.disk_low.load(Ordering::Relaxed),
        digests: group.replica.last_digests(),
        level: LEVEL,
        facts: None,
    }
}

/// Returns this node's own status with the facts that people read.
pub(crate) fn own_with_facts(group: &Group) -> PeerStatus {
    PeerStatus {
        facts: Some(member_facts::own(group)),
        ..own(group)
    }
}

/// Performs a linearizable read. The read keeps `ready` accurate on a node that receives no
/// requests, and confirms the current cluster time.
async fn read_for_itself(group: Arc<Group>) {
    let pause_detector = &group.options.pause_detector;
    let began = pause_detector.moment();
    // A failure needs no handling, because `ready` and the watchdog look at the time of the last
    // success.
    if group
        .confirm_applied(clock::now() + READ_DEADLINE)
        .await
        .is_ok()
    {
        let ticked_ms = group.replica.registry().ticked_ms();
        pause_detector.confirm_cluster_time(began, ticked_ms);
    }
}

/// Returns the other members with their raft ids; the flag is `true` for voters.
pub(crate) fn other_members(group: &Group) -> Vec<(RaftId, Member, bool)> {
    let view = group.view();
    let view = view.borrow();
    view.members()
        .filter(|(id, ..)| *id != group.raft_id())
        .map(|(id, member, voter)| (id, member.clone(), voter))
        .collect()
}

/// Sends this node's status to each member, and returns the statuses and the facts with which they
/// answer.
async fn exchange(
    group: &Group,
    members: &[(RaftId, Member, bool)],
) -> Vec<(RaftId, PeerStatus, Option<ReportedFacts>)> {
    let asked = members.iter().map(|(id, member, _)| async {
        let asked_at = clock::now();
        let request = Request::Status(own_with_facts(group));
        match group
            .peers
            .call(*id, member, Channel::Control, request, STATUS_TIMEOUT)
            .await
        {
            Ok(Response::Status(mut status)) => {
                let facts = status.facts.take();
                let facts =
                    facts.map(|facts| member_facts::reported(facts, asked_at, STATUS_TIMEOUT));
                Some((*id, status, facts))
            }
            Ok(_) | Err(_) => None,
        }
    });
    futures_util::future::join_all(asked)
        .await
        .into_iter()
        .flatten()
        .collect()
}
