//! Twice a second the members tell each other how far they are, and compare the digests of what they hold.

use super::errors::StartError;
use super::group::{Group, paced};
use super::peer::{Answer, Checkpoint, Lane, Pulse, Request};
use super::replica::CHECKPOINTS_KEPT;
use super::types::{Member, RaftId};
use crate::clock;
use crate::registry::LEVEL;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Between two pulses.
const PULSE_INTERVAL: Duration = Duration::from_millis(500);
/// A pulse is answered at once or not at all.
pub(super) const PULSE_TIMEOUT: Duration = Duration::from_millis(400);
/// A read that takes longer would not count as fresh.
const READ_DEADLINE: Duration = Duration::from_millis(900);

/// Pulses until the group is gone.
pub(super) async fn run(group: Arc<Group>) {
    let mut pace = paced(PULSE_INTERVAL);
    let mut heard: BTreeMap<RaftId, Vec<Checkpoint>> = BTreeMap::new();
    let mut view = group.view();
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            // A new member is asked at once, so that the status right after a start tells the truth.
            changed = view.changed() => if changed.is_err() { return },
            () = group.stopping() => return,
        }
        tokio::spawn(read_for_itself(group.clone()));
        let members = other_members(&group);
        group
            .peers
            .retain(|id| members.iter().any(|(member, ..)| *member == id));
        heard.retain(|id, _| members.iter().any(|(member, ..)| member == id));
        for (id, pulse) in exchange(&group, &members).await {
            let own = group.replica.registry().applied_index();
            group.peers.note_applied(id, pulse.applied, own);
            group.replica.evidence().note_committed(pulse.applied);
            group.peers.note_disk(id, pulse.disk_low);
            group.peers.note_level(id, pulse.level);
            let mut checkpoints = pulse.checkpoints;
            checkpoints.truncate(CHECKPOINTS_KEPT);
            heard.insert(id, checkpoints);
        }
        if let Verdict::Stop(reason) = compare(&group, &heard) {
            group.peers.condemn(StartError::Diverged(reason));
        }
    }
}

/// What this node tells.
pub(super) fn own(group: &Group) -> Pulse {
    Pulse {
        applied: group.replica.registry().applied_index(),
        disk_low: group.disk_low.load(Ordering::Relaxed),
        checkpoints: group.replica.checkpoints(),
        level: LEVEL,
    }
}

/// A read of its own keeps `ready` honest on a node that nobody asks, and tells what cluster time
/// is by now.
async fn read_for_itself(group: Arc<Group>) {
    let beat = &group.options.beat;
    let began = beat.moment();
    // A failure shows as the absence of success.
    if group
        .confirm_applied(clock::now() + READ_DEADLINE)
        .await
        .is_ok()
    {
        let ticked_ms = group.replica.registry().ticked_ms();
        beat.confirm_cluster_time(began, ticked_ms);
    }
}

pub(super) fn other_members(group: &Group) -> Vec<(RaftId, Member, bool)> {
    let view = group.view();
    let view = view.borrow();
    view.members()
        .filter(|(id, ..)| *id != group.raft_id())
        .map(|(id, member, voter)| (id, member.clone(), voter))
        .collect()
}

async fn exchange(group: &Group, members: &[(RaftId, Member, bool)]) -> Vec<(RaftId, Pulse)> {
    let asked = members.iter().map(|(id, member, _)| async {
        let request = Request::Pulse(own(group));
        match group
            .peers
            .call(*id, member, Lane::Control, request, PULSE_TIMEOUT)
            .await
        {
            Ok(Answer::Pulse(pulse)) => Some((*id, pulse)),
            Ok(_) | Err(_) => None,
        }
    });
    futures_util::future::join_all(asked)
        .await
        .into_iter()
        .flatten()
        .collect()
}

/// What a comparison of digests means for this node.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Agreed,
    Stop(String),
}

fn compare(group: &Group, heard: &BTreeMap<RaftId, Vec<Checkpoint>>) -> Verdict {
    let voters: BTreeSet<RaftId> = {
        let view = group.view();
        let view = view.borrow();
        view.membership.membership().voter_ids().collect()
    };
    let ballot = Ballot {
        voters: voters.len(),
        own_counts: voters.contains(&group.raft_id()),
    };
    for own in group.replica.checkpoints() {
        let others: Vec<u128> = heard
            .iter()
            .filter(|(id, _)| voters.contains(id))
            .filter_map(|(_, checkpoints)| {
                checkpoints.iter().find(|other| other.index == own.index)
            })
            .map(|other| other.digest)
            .collect();
        let verdict = judge(own, &others, ballot);
        if verdict != Verdict::Agreed {
            return verdict;
        }
    }
    Verdict::Agreed
}

/// Whose digests are counted: those of the voters. A learner holds what it was sent, and decides
/// nothing.
#[derive(Debug, Clone, Copy)]
struct Ballot {
    voters: usize,
    /// Whether this node is one of them.
    own_counts: bool,
}

/// Compares this node's digest with those of the other voters that were heard.
///
/// The minority stops; when no majority can agree any more, all stop (docs/decisions/0008).
fn judge(own: Checkpoint, others: &[u128], ballot: Ballot) -> Verdict {
    let Ballot { voters, own_counts } = ballot;
    let majority = voters / 2 + 1;
    let agreeing = others
        .iter()
        .filter(|digest| **digest == own.digest)
        .count();
    if agreeing == others.len() {
        return Verdict::Agreed;
    }
    let with_own = agreeing + usize::from(own_counts);
    let largest_other = others
        .iter()
        .filter(|digest| **digest != own.digest)
        .map(|digest| others.iter().filter(|other| *other == digest).count())
        .max()
        .unwrap_or(0);
    let unheard = voters.saturating_sub(usize::from(own_counts) + others.len());
    if largest_other >= majority {
        return Verdict::Stop(format!(
            "what this node holds at log index {} differs from what the majority holds. \
             Empty its data directory and start it again; it rejoins by itself",
            own.index
        ));
    }
    if with_own + unheard < majority && largest_other + unheard < majority {
        return Verdict::Stop(format!(
            "the members hold different states at log index {}, and no majority agrees",
            own.index
        ));
    }
    Verdict::Agreed
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Checkpoint = Checkpoint {
        index: 64,
        digest: 1,
    };

    fn stops(others: &[u128], voters: usize) -> bool {
        let own_counts = true;
        matches!(
            judge(OWN, others, Ballot { voters, own_counts }),
            Verdict::Stop(_)
        )
    }

    fn learner_stops(others: &[u128], voters: usize) -> bool {
        let own_counts = false;
        matches!(
            judge(OWN, others, Ballot { voters, own_counts }),
            Verdict::Stop(_)
        )
    }

    /// A learner that differs from a majority of the voters stops, and adds to no majority itself.
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

    /// Members that agree, or that have not been heard, stop nobody.
    #[test]
    fn agreement_and_silence_stop_nobody() {
        assert!(!stops(&[], 3));
        assert!(!stops(&[1], 3));
        assert!(!stops(&[1, 1], 3));
    }

    /// A node that differs from a majority stops; one in the majority does not, whoever leads.
    #[test]
    fn the_minority_stops() {
        assert!(stops(&[2, 2], 3));
        assert!(!stops(&[1, 2], 3));
        assert!(
            !stops(&[2], 3),
            "one other may be the wrong one: the third decides"
        );
    }

    /// Without any majority nobody can say who is right.
    #[test]
    fn all_stop_without_a_majority() {
        assert!(stops(&[2, 3], 3));
        assert!(stops(&[2], 2));
    }
}
