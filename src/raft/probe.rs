//! Access to a node beyond the façade, for simulations: observing its state and triggering actions.

use super::apply::committed_log::EntryContent;
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

/// The state of a node at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The node's raft id.
    pub raft_id: RaftId,
    /// The node's term, as openraft last reported it.
    pub term: u64,
    /// Whether the node leads in that term.
    pub leads: bool,
    /// The vote on the node's disk: term, candidate, and whether a quorum granted the vote.
    pub vote: Option<(u64, RaftId, bool)>,
    /// The last log id that the node knows to be committed: term, leader, index.
    pub committed: Option<(u64, RaftId, u64)>,
    /// The applied index of the node's registry.
    pub applied: u64,
    /// The digest of the node's registry.
    pub digest: u128,
    /// The index of the last entry on the node's disk.
    pub on_disk: Option<u64>,
    /// The first index that the node's log may still contain.
    pub first: u64,
    /// The voters of the effective membership; two sets during a membership change.
    pub voters: Vec<BTreeSet<RaftId>>,
    /// The members by raft id.
    pub members: BTreeMap<RaftId, String>,
}

/// An entry of a node's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// The log index of the entry.
    pub index: u64,
    /// The term in which the entry was proposed, and the leader that proposed it.
    pub leader: (u64, RaftId),
    /// The content of the entry.
    pub content: EntryContent,
    /// The commands of the entry with their settings, if it has any.
    pub batch: Option<Arc<Batch>>,
}

impl Node {
    /// Returns the node's current state, or `None` before the node is in a group.
    pub fn probe(&self) -> Option<Probe> {
        Some(probe(&*self.group_now()?))
    }

    /// Returns the index of the last entry on this node's disk, whether or not the node is in a
    /// group.
    pub fn on_disk(&self) -> Option<u64> {
        self.store().extent_on_disk().0
    }

    /// Returns the entries of this node's log in a range of indexes.
    pub fn entries(&self, range: std::ops::Range<u64>) -> Vec<LoggedEntry> {
        let store = self.store();
        let entries = store.entries_now(range).into_iter();
        entries
            .map(|entry| {
                let leader = entry.log_id.committed_leader_id();
                let (content, batch) = match &entry.payload {
                    EntryPayload::Blank => (EntryContent::Blank, None),
                    EntryPayload::Membership(membership) => {
                        (EntryContent::Membership(membership.to_string()), None)
                    }
                    EntryPayload::Normal(proposal) => (
                        EntryContent::Commands(proposal.0.commands.clone()),
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

    /// Takes a snapshot of the applied state.
    pub async fn make_snapshot(&self) {
        if let Some(group) = self.group_now() {
            // A group that has ended takes no snapshot, so an error is ignored.
            let _ = group.raft.trigger().snapshot().await;
        }
    }

    /// Removes the part of this node's log that its snapshot covers, so that a node without these
    /// entries needs the snapshot.
    pub async fn purge(&self) {
        if let Some(group) = self.group_now() {
            let covered = group.raft.metrics().borrow_watched().snapshot;
            if let Some(covered) = covered {
                // A group that has ended purges nothing, so an error is ignored.
                let _ = group.raft.trigger().purge_log(covered.index).await;
            }
        }
    }

    /// Makes the node start an election immediately.
    pub async fn elect(&self) {
        if let Some(group) = self.group_now() {
            // A group that has ended starts no election, so an error is ignored.
            let _ = group.raft.trigger().elect(true).await;
        }
    }

    /// Transfers the leadership to another voter, if this node leads. The node continues as a
    /// follower.
    pub async fn transfer(&self) {
        if let Some(group) = self.group_now() {
            transfer_leadership::run(&group).await;
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
