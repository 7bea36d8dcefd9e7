//! Runs the ReadIndex rounds of linearizable reads.
//!
//! In a follower's round, the follower sends its own vote to the leader (see
//! [`super::follower_vote`]). The leader's own round is a round of heartbeats.

use super::follower_vote;
use crate::planted::{Bug, is_planted};
use crate::raft::error::Unavailable;
use crate::raft::group::Group;
use crate::raft::group::view::{Leader, changed_from};
use crate::raft::health::unavailable_reason;
use crate::raft::log_target;
use crate::raft::queue::read_queue::{RETRY_AFTER, ROUND_TIMEOUT, ReadWorker};
use crate::raft::transport::{Channel, Request, Response};
use crate::storage::types::{RaftId, Vote};
use openraft::{LinearizerOption, ReadPolicy};
use std::sync::Arc;

/// Runs ReadIndex rounds while reads are waiting, until the group ends.
pub(crate) async fn run(group: Arc<Group>, rounds: ReadWorker) {
    rounds
        .run(
            || counted_round(&group),
            || change_of(&group),
            group.stopping(),
        )
        .await;
}

/// Waits for a change of the leader or the membership, but at most [`RETRY_AFTER`].
async fn change_of(group: &Group) {
    let mut view = group.view();
    view.mark_unchanged();
    // A timeout is ignored, since the next round is tried in either case.
    let _ = tokio::time::timeout(RETRY_AFTER, view.changed()).await;
}

/// Runs one ReadIndex round, and counts it.
async fn counted_round(group: &Group) -> Result<u64, Unavailable> {
    let result = round(group).await;
    let counters = &group.counters;
    match &result {
        Ok(_) => counters.read_rounds.add_one(),
        Err(_) => counters.failed_read_rounds.add_one(),
    }
    result
}

/// Runs one ReadIndex round with the current leader, and returns the read index.
async fn round(group: &Group) -> Result<u64, Unavailable> {
    let mut view = group.view();
    let Some(leader) = view.borrow_and_update().leader.clone() else {
        return Err(unavailable_reason(group).into());
    };
    let asked = async {
        match leader.id == group.raft_id() {
            true => confirm(group).await,
            false => ask(group, &leader).await,
        }
    };
    tokio::select! {
        result = asked => result,
        () = changed_from(&mut view, &leader) => Err(Unavailable::LeaderChanged),
    }
}

/// Asks the leader for a read index. The request carries the vote on this follower's disk.
async fn ask(group: &Group, leader: &Leader) -> Result<u64, Unavailable> {
    // Read the vote here and not earlier, because the vote must be newer than every read that this
    // round serves.
    let vote = group.store().vote();
    match group
        .ask_leader(
            leader,
            Channel::Control,
            Request::ReadIndex(vote),
            ROUND_TIMEOUT,
        )
        .await
    {
        Ok(Response::ReadIndex(result)) => result.map_err(Unavailable::Reported),
        Ok(_) => Err(Unavailable::UnexpectedAnswer {
            leader: leader.member.node_id.clone(),
        }),
        Err(error) => Err(Unavailable::NoReadIndex {
            leader: leader.member.node_id.clone(),
            source: Arc::new(error),
        }),
    }
}

/// Confirms a read index on the leader for a follower's round: by the follower's vote if that is
/// enough, and otherwise by heartbeats.
pub(crate) async fn confirm_for(
    group: &Group,
    from: RaftId,
    vote: Option<Vote>,
) -> Result<u64, Unavailable> {
    if let Some(vote) = vote
        && !is_planted(Bug::LeaseRead)
        && let Some(index) = follower_vote::index(group, from, vote)
            .await
            .map_err(|ended| Unavailable::Ended(Arc::new(ended)))?
    {
        return Ok(index);
    }
    confirm(group).await
}

/// Confirms that this node still leads, by a heartbeat round that starts after the call, and
/// returns the read index.
pub(crate) async fn confirm(group: &Group) -> Result<u64, Unavailable> {
    let policy = match is_planted(Bug::LeaseRead) {
        true => ReadPolicy::LeaseRead,
        false => ReadPolicy::ReadIndex,
    };
    let option = LinearizerOption::from(policy).with_wait_timeout(ROUND_TIMEOUT);
    match group.raft.get_read_linearizer(option).await {
        Ok(linearizer) => Ok(linearizer.read_log_id().index()),
        Err(error) => {
            tracing::debug!(target: log_target::READS, %error, "a read round failed");
            Err(unavailable_reason(group).into())
        }
    }
}
