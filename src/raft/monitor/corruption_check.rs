//! Comparison of the members' state digests, which stops a node whose state differs.

use crate::raft::error::Divergence;
use crate::raft::group::Group;
use crate::raft::transport::StateDigest;
use crate::storage::types::RaftId;
use std::collections::{BTreeMap, BTreeSet};

/// The consequence of a digest comparison for this node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DigestVerdict {
    Agreed,
    Stop(Divergence),
}

/// Compares the digests of this node with the digests last reported by the other members, and
/// decides whether this node must stop.
pub(crate) fn compare(
    group: &Group,
    last_digests: &BTreeMap<RaftId, Vec<StateDigest>>,
) -> DigestVerdict {
    let voters: BTreeSet<RaftId> = {
        let view = group.view();
        let view = view.borrow();
        view.membership.membership().voter_ids().collect()
    };
    let count = VoterCount {
        voters: voters.len(),
        own_counts: voters.contains(&group.raft_id()),
    };
    for own in group.replica.last_digests() {
        let others: Vec<u128> = last_digests
            .iter()
            .filter(|(id, _)| voters.contains(id))
            .filter_map(|(_, digests)| digests.iter().find(|other| other.index == own.index))
            .map(|other| other.digest)
            .collect();
        let verdict = compare_one(own, &others, count);
        if verdict != DigestVerdict::Agreed {
            return verdict;
        }
    }
    DigestVerdict::Agreed
}

/// The number of voters. Only the digests of voters count, because a learner merely stores the data
/// that it was sent.
#[derive(Debug, Clone, Copy)]
struct VoterCount {
    voters: usize,
    /// Whether this node is a voter.
    own_counts: bool,
}

/// Compares this node's digest with the reported digests of the other voters.
///
/// A node that differs from a majority stops. When no majority can agree any more, all nodes stop
/// (docs/decisions/0008).
fn compare_one(own: StateDigest, others: &[u128], count: VoterCount) -> DigestVerdict {
    let VoterCount { voters, own_counts } = count;
    let majority = voters / 2 + 1;
    let agreeing = others
        .iter()
        .filter(|digest| **digest == own.digest)
        .count();
    if agreeing == others.len() {
        return DigestVerdict::Agreed;
    }
    let with_own = agreeing + usize::from(own_counts);
    let largest_other = others
        .iter()
        .filter(|digest| **digest != own.digest)
        .map(|digest| others.iter().filter(|other| *other == digest).count())
        .max()
        .unwrap_or(0);
    let unreported = voters.saturating_sub(usize::from(own_counts) + others.len());
    if largest_other >= majority {
        return DigestVerdict::Stop(Divergence::FromMajority { index: own.index });
    }
    if with_own + unreported < majority && largest_other + unreported < majority {
        return DigestVerdict::Stop(Divergence::NoMajority { index: own.index });
    }
    DigestVerdict::Agreed
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: StateDigest = StateDigest {
        index: 64,
        digest: 1,
    };

    fn stops(others: &[u128], voters: usize) -> bool {
        let own_counts = true;
        matches!(
            compare_one(OWN, others, VoterCount { voters, own_counts }),
            DigestVerdict::Stop(_)
        )
    }

    fn learner_stops(others: &[u128], voters: usize) -> bool {
        let own_counts = false;
        matches!(
            compare_one(OWN, others, VoterCount { voters, own_counts }),
            DigestVerdict::Stop(_)
        )
    }

    /// A learner that differs from a majority of the voters stops, and does not count towards a
    /// majority itself.
    #[test]
    fn a_learner_is_not_counted() {
        assert!(learner_stops(&[2, 2], 3));
        assert!(
            !learner_stops(&[1, 1, 2], 3),
            "the third voter is wrong, not the learner"
        );
        assert!(!learner_stops(&[1, 2], 3), "the third voter decides");
        assert!(learner_stops(&[1, 2], 2), "no majority is left");
    }

    /// Members that agree, and members that have not reported, cause no node to stop.
    #[test]
    fn agreement_and_silence_stop_nobody() {
        assert!(!stops(&[], 3));
        assert!(!stops(&[1], 3));
        assert!(!stops(&[1, 1], 3));
    }

    /// A node that differs from a majority stops, and a node in the majority does not, regardless
    /// of which node leads.
    #[test]
    fn the_minority_stops() {
        assert!(stops(&[2, 2], 3));
        assert!(!stops(&[1, 2], 3));
        assert!(
            !stops(&[2], 3),
            "one other may be the wrong one: the third decides"
        );
    }

    /// All nodes stop if no majority can agree, because there is no way to decide which state is
    /// right.
    #[test]
    fn all_stop_without_a_majority() {
        assert!(stops(&[2, 3], 3));
        assert!(stops(&[2], 2));
    }
}
