//! What a simulation may see of a node, and what it may make it do, beyond the façade.

use super::apply::committed_log::Content;
use super::group::Group;
use super::membership::transfer_leadership;
use super::node::Node;
use crate::registry::Batch;
use crate::storage::types::RaftId;
use openraft::async_runtime::WatchReceiver;
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, ServerState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A node at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Its raft id.
    pub raft_id: RaftId,
    /// Its term, as openraft last told.
    pub term: u64,
    /// Whether it leads in that term.
    pub leads: bool,
    /// The vote on its disk: term, candidate, whether a quorum granted it.
    pub vote: Option<(u64, RaftId, bool)>,
    /// The last log id that it holds for committed: term, leader, index.
    pub committed: Option<(u64, RaftId, u64)>,
    /// The index that its registry shows.
    pub applied: u64,
    /// The digest of its registry.
    pub digest: u128,
    /// The index of the last entry on its disk.
    pub on_disk: Option<u64>,
    /// The first index that its log may still hold.
    pub first: u64,
    /// The voters of the membership that it acts by; two sets in the middle of a change.
    pub voters: Vec<BTreeSet<RaftId>>,
    /// The members by raft id.
    pub members: BTreeMap<RaftId, String>,
}

/// An entry of a node's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Its index.
    pub index: u64,
    /// The term and the leader that it was proposed in and by.
    pub leader: (u64, RaftId),
    /// What it carries.
    pub content: Content,
    /// Its commands with their settings, if it carries any.
    pub batch: Option<Arc<Batch>>,
}

impl Node {
    /// The node now; none before it is in a group.
    pub fn probe(&self) -> Option<Probe> {
        Some(probe(&*self.group_now()?))
    }

    /// The index of the last entry on this node's disk, in a group or not.
    pub fn on_disk(&self) -> Option<u64> {
        self.store().extent_on_disk().0
    }

    /// Entries of this node's log that are in memory, of the indexes asked for.
    pub fn entries(&self, range: std::ops::Range<u64>) -> Vec<LoggedEntry> {
        let store = self.store();
        let entries = store.entries_now(range).into_iter();
        entries
            .map(|entry| {
                let leader = entry.log_id.committed_leader_id();
                let (content, batch) = match &entry.payload {
                    EntryPayload::Blank => (Content::Blank, None),
                    EntryPayload::Membership(membership) => {
                        (Content::Membership(membership.to_string()), None)
                    }
                    EntryPayload::Normal(proposal) => (
                        Content::Commands(proposal.0.commands.clone()),
                        Some(proposal.0.clone()),
                    ),
                };
                LoggedEntry {
                    index: entry.log_id.index,
                    leader: (leader.term(), *leader.node_id()),
                    content,
                    batch,
                }
            })
            .collect()
    }

    /// Makes a snapshot of what is applied.
    pub async fn make_snapshot(&self) {
        if let Some(group) = self.group_now() {
            // A group that has ended makes none.
            let _ = group.raft.trigger().snapshot().await;
        }
    }

    /// Removes what its snapshot covers from its log, so that who lacks it needs the snapshot.
    pub async fn purge(&self) {
        if let Some(group) = self.group_now() {
            let covered = group.raft.metrics().borrow_watched().snapshot;
            if let Some(covered) = covered {
                // As above.
                let _ = group.raft.trigger().purge_log(covered.index).await;
            }
        }
    }

    /// Lets it stand for election at once.
    pub async fn elect(&self) {
        if let Some(group) = self.group_now() {
            // As above.
            let _ = group.raft.trigger().elect(true).await;
        }
    }

    /// Hands leadership to another voter, if it leads, and goes on as a follower.
    pub async fn transfer(&self) {
        if let Some(group) = self.group_now() {
            transfer_leadership::hand_over(&group).await;
        }
    }
}

fn probe(group: &Group) -> Probe {
    let metrics = group.raft.metrics();
    let metrics = metrics.borrow_watched();
    let store = group.store();
    let (applied, digest) = {
        let registry = group.replica.registry();
        (registry.applied_index(), registry.digest())
    };
    let membership = metrics.membership_config.membership();
    let (on_disk, first) = store.extent_on_disk();
    Probe {
        raft_id: group.raft_id(),
        term: metrics.current_term,
        leads: metrics.state == ServerState::Leader,
        vote: store.vote().map(|vote| {
            let leader = vote.leader_id();
            (leader.term(), *leader.node_id(), vote.is_committed())
        }),
        committed: metrics.local_committed.as_ref().map(|id| {
            let leader = id.committed_leader_id();
            (leader.term(), *leader.node_id(), id.index)
        }),
        applied,
        digest,
        on_disk,
        first,
        voters: membership.get_joint_config().clone(),
        members: membership
            .nodes()
            .map(|(id, member)| (*id, member.node_id.clone()))
            .collect(),
    }
}
