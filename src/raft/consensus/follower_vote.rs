//! A follower's word in place of a heartbeat round.
//!
//! A leader confirms a read once a majority still follows it. The follower that asks is one of them: with its vote it says so
//! itself, and in a group of three the leader and it are the majority. The read then costs one way there and back, and no
//! heartbeats.
//!
//! Why the index is good for every read that had come before the vote was read:
//!
//! - votes only grow, and each is on disk before anyone is told of it. The follower's is read after those reads came; the
//!   leader's own after that. So there was a moment after those reads came at which neither had voted for a later leader.
//! - they are a majority of each configuration in effect, so at that moment there was no later leader.
//! - then all that was acknowledged before is this leader's to know: what it committed itself, and, once an entry of its own
//!   is committed, all that those before it did (Raft, section 6.4; a restarted leader never takes its term up again).

use crate::planted::{Bug, is_planted};
use crate::raft::group::Group;
use crate::storage::types::{LogId, RaftId, Vote};
use openraft::ServerState;
use std::collections::BTreeSet;

/// The index that a follower's reads wait for, by its vote and this node's alone; `None` when that is not enough.
///
/// # Errors
/// When openraft has ended.
pub(crate) async fn index(group: &Group, of: RaftId, vote: Vote) -> Result<Option<u64>, String> {
    let own = group.raft_id();
    // Where two are never enough the core need not be asked.
    let known = group.view().borrow().membership.clone();
    if !are_majority(own, of, known.get_joint_config()) {
        return Ok(None);
    }
    // In the core's turn, so that all of it is of one moment.
    let decided = group.raft.with_raft_state(move |state| {
        let leads = state.server_state == ServerState::Leader && *state.vote_ref() == vote;
        let voters = state.membership_state.effective().get_joint_config();
        let committed = state.local_committed();
        (leads && are_majority(own, of, voters))
            .then(|| committed_in(&vote, committed))
            .flatten()
    });
    decided.await.map_err(|ended| ended.to_string())
}

/// Whether these two are more than half of each configuration.
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

/// The index of what is committed, if its last entry is of that vote's leader.
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

    /// Two are the majority of three, and of no more; on the way from one configuration to another, of both.
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

    /// A leader that has committed nothing of its own yet may not know what those before it did.
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
