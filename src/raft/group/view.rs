//! This node's view of the leader and the membership: the few values of openraft's metrics on which
//! reads and writes wait.

use crate::storage::types::{Member, RaftId, StoredMembership, TypeConfig};
use std::sync::Arc;
use tokio::sync::watch;

/// The current leader as this node knows it, which may be this node itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) id: RaftId,
    pub(crate) term: u64,
    pub(crate) member: Member,
}

/// The leader, the members and this node's role, as openraft last reported them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RaftView {
    pub(crate) term: u64,
    pub(crate) state: openraft::ServerState,
    pub(crate) leader: Option<Leader>,
    pub(crate) membership: Arc<StoredMembership>,
}

impl RaftView {
    /// Extracts the view from openraft's metrics.
    pub(crate) fn of(metrics: &openraft::RaftMetrics<TypeConfig>) -> RaftView {
        let leader = metrics.current_leader.and_then(|id| {
            let member = metrics
                .membership_config
                .membership()
                .get_node(&id)?
                .clone();
            Some(Leader {
                id,
                term: metrics.current_term,
                member,
            })
        });
        RaftView {
            term: metrics.current_term,
            state: metrics.state,
            leader,
            membership: metrics.membership_config.clone(),
        }
    }

    /// Returns the members with their raft ids; the flag is `true` for voters.
    pub(crate) fn members(&self) -> impl Iterator<Item = (RaftId, &Member, bool)> {
        let membership = self.membership.membership();
        let voters: std::collections::BTreeSet<RaftId> = membership.voter_ids().collect();
        membership
            .nodes()
            .map(move |(id, member)| (*id, member, voters.contains(id)))
    }

    /// Returns the number of voters.
    pub(crate) fn voters(&self) -> usize {
        self.members().filter(|(_, _, voter)| *voter).count()
    }

    pub(crate) fn is_voter(&self, id: RaftId) -> bool {
        self.membership
            .membership()
            .voter_ids()
            .any(|voter| voter == id)
    }
}

/// Waits until the known leader is not `old` any more: there is another leader, or none.
pub(crate) async fn changed_from(view: &mut watch::Receiver<RaftView>, old: &Leader) {
    // An error means that the group is shutting down, and the caller with it.
    let _ = view
        .wait_for(|view| view.leader.as_ref() != Some(old))
        .await;
}
