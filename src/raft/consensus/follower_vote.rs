//! Confirms a follower's read by the follower's vote, instead of by a heartbeat round.
//!
//! A leader may confirm a read once it knows that a majority still follows it. The follower that
//! requests a read index is a voter, and its request carries its vote. In a group of three, the
//! leader and this follower are a majority, so the read costs one round trip and no heartbeats.
//!
//! The read index is valid for every read that arrived before the follower's vote was read,
//! because:
//!
//! - Votes only grow, and a node writes its vote to disk before it sends the vote. The follower's
//!   vote is read after the reads arrived, and the leader's own vote is read after the follower's.
//!   So there was a moment after the arrival of the reads at which neither node had voted for a
//!   later leader.
//! - At that moment there was no later leader, because the two nodes are a majority of each
//!   configuration in effect.
//! - This leader therefore knows everything that was acknowledged before that moment. It knows the
//!   entries that it committed itself. Once an entry of its own term is committed, it also knows
//!   the entries that earlier leaders committed (Raft thesis, section 6.4). A restarted leader
//!   never resumes its term.

use crate::planted::{Bug, is_planted};
use crate::raft::group::Group;
use crate::storage::types::{LogId, RaftId, TypeConfig, Vote};
use openraft::ServerState;
use openraft::errors::Fatal;
use std::collections::BTreeSet;

/// Returns the read index for a follower's reads if that follower's vote and this leader's own vote
/// confirm it. Returns `None` when the two votes are not enough.
///
/// # Errors
/// When openraft has ended.
pub(crate) async fn index(
    group: &Group,
    of: RaftId,
    vote: Vote,
) -> Result<Option<u64>, Fatal<TypeConfig>> {
    let own = group.raft_id();
    // This check avoids a call into openraft's core if the two nodes are not a majority.
    let known = group.view().borrow().membership.clone();
    if !are_majority(own, of, known.get_joint_config()) {
        return Ok(None);
    }
    // The closure runs in openraft's core task, so that all values are from one moment.
    let decided = group.raft.with_raft_state(move |state| {
        let leads = state.server_state == ServerState::Leader && *state.vote_ref() == vote;
        let voters = state.membership_state.effective().get_joint_config();
        let committed = state.local_committed();
        (leads && are_majority(own, of, voters))
            .then(|| committed_in(&vote, committed))
            .flatten()
    });
    decided.await
}

/// Returns whether these two nodes are more than half of each configuration of the membership.
fn are_majority(one: RaftId, other: RaftId, configurations: &[BTreeSet<RaftId>]) -> bool {
    if is_planted(Bug::VouchedByTwo) {
        return true;
    }
    let of_each = |voters: &BTreeSet<RaftId>| {
        let agreed = [one, other]
            .iter()
            .filter(|node| voters.contains(node))
            .count();
        2 * agreed > voters.len()
    };
    one != other && !configurations.is_empty() && configurations.iter().all(of_each)
}

/// Returns the commit index if the last committed entry was proposed by the leader of `vote`.
fn committed_in(vote: &Vote, committed: Option<&LogId>) -> Option<u64> {
    committed
        .filter(|committed| *committed.committed_leader_id() == vote.leader_id)
        .map(|committed| committed.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configurations(of: &[&[RaftId]]) -> Vec<BTreeSet<RaftId>> {
        of.iter()
            .map(|voters| voters.iter().copied().collect())
            .collect()
    }

    /// Two voters are a majority of three and of no larger configuration. During a membership
    /// change, the two must be a majority of both the old and the new configuration.
    #[test]
    fn two_are_a_majority_of_three() {
        for (voters, enough) in [
            (&[&[1, 2][..]][..], true),
            (&[&[1, 2, 3]], true),
            (&[&[1, 3, 4]], false),
            (&[&[3, 4, 5]], false),
            (&[&[1, 2, 3, 4]], false),
            (&[&[1, 2, 3, 4, 5]], false),
            (&[&[1, 2, 3], &[1, 2, 4]], true),
            (&[&[1, 2, 3], &[1, 3, 4]], false),
            (&[&[1, 2, 3], &[1, 2, 3, 4, 5]], false),
        ] {
            assert_eq!(
                are_majority(1, 2, &configurations(voters)),
                enough,
                "{voters:?}"
            );
        }
    }

    /// A vote confirms no index until the leader has committed an entry of its own term. Before
    /// that, the leader may not know what its predecessors committed.
    #[test]
    fn an_entry_of_its_own_is_needed() {
        let vote = Vote::new_committed(3, 1);
        let log_id = |term, node_id, index| {
            LogId::new(
                openraft::impls::leader_id_adv::LeaderId { term, node_id },
                index,
            )
        };
        assert_eq!(committed_in(&vote, None), None);
        assert_eq!(committed_in(&vote, Some(&log_id(2, 1, 9))), None);
        assert_eq!(committed_in(&vote, Some(&log_id(3, 2, 9))), None);
        assert_eq!(committed_in(&vote, Some(&log_id(3, 1, 9))), Some(9));
    }
}
