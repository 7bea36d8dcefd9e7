//! The leader's view of its learners, from which it finds the learners to remove.
//!
//! A learner is a node that is about to become a voter. A learner that does not become a voter is
//! removed. Otherwise every member would dial this learner forever. The learner would also replace
//! the voter with the same `node.id`, even if that voter was only down for a while.

use crate::clock::{self, Instant};
use crate::raft::group::Group;
use crate::raft::group::view::RaftView;
use crate::storage::types::RaftId;
use openraft::async_runtime::WatchReceiver;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Time after which a learner is removed if it has accepted no log entry and no piece of a
/// snapshot. A learner that has caught up is also removed if it has not asked to join for this
/// time. Even a slow disk installs a snapshot in less time.
const IDLE_AFTER: Duration = Duration::from_secs(60);

/// The learners of the group, as seen since this node began to lead.
#[derive(Default)]
pub(crate) struct Learners {
    by_id: BTreeMap<RaftId, LearnerProgress>,
}

/// A leader's observations of one learner.
#[derive(Debug, Clone, Copy)]
struct LearnerProgress {
    seen_first: Instant,
    /// The highest log index that the learner was seen to hold.
    matched: Option<u64>,
    /// The last time at which the learner took an entry or a piece of a snapshot; initially the
    /// time at which it was first seen.
    progressed: Instant,
}

/// The state of a learner at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct LearnerState {
    /// The index of the last entry that the learner is known to hold.
    matched: Option<u64>,
    /// The last time at which the learner took a piece of a snapshot.
    last_piece: Option<Instant>,
    /// Whether the learner has caught up with the log ([`is_level`]).
    is_level: bool,
    /// Whether a newer incarnation has replaced the learner.
    is_retired: bool,
    /// The last time at which the node asked to join.
    asked: Option<Instant>,
    /// The last time at which a voter with the same node id answered.
    old_self_answered: Option<Instant>,
}

impl Learners {
    /// Forgets all learners, because this node does not lead.
    pub(crate) fn forget(&mut self) {
        self.by_id.clear();
    }

    /// Checks every learner. Returns the learners to remove, each with the reason.
    pub(crate) fn idle(&mut self, group: &Group) -> Vec<(RaftId, &'static str)> {
        let view = group.view().borrow().clone();
        let learners: BTreeSet<RaftId> = view
            .members()
            .filter(|(_, _, voter)| !voter)
            .map(|(id, ..)| id)
            .collect();
        self.by_id.retain(|id, _| learners.contains(id));
        let now = clock::now();
        learners
            .into_iter()
            .filter_map(|id| {
                let state = state_of(group, &view, id);
                let learner = self.by_id.entry(id).or_insert(LearnerProgress {
                    seen_first: now,
                    matched: state.matched,
                    progressed: now,
                });
                Some((id, learner.reason_to_remove(&state, now)?))
            })
            .collect()
    }
}

impl LearnerProgress {
    /// Returns the reason to remove the learner, if there is one.
    fn reason_to_remove(&mut self, state: &LearnerState, now: Instant) -> Option<&'static str> {
        if state.matched > self.matched {
            self.matched = state.matched;
            self.progressed = now;
        }
        let progressed = self
            .progressed
            .max(state.last_piece.unwrap_or(self.progressed));
        let asked = state.asked.unwrap_or(self.seen_first).max(self.seen_first);
        if state.is_retired {
            return Some("it was replaced by a newer incarnation");
        }
        if state
            .old_self_answered
            .is_some_and(|at| at > self.seen_first)
        {
            return Some("the voter with its node.id answers");
        }
        if now.duration_since(progressed) > IDLE_AFTER {
            return Some("it has accepted no log entries for a minute");
        }
        if state.is_level && now.duration_since(asked) > IDLE_AFTER {
            return Some("it has not asked to join for a minute");
        }
        None
    }
}

/// Collects the current state of a learner.
fn state_of(group: &Group, view: &RaftView, id: RaftId) -> LearnerState {
    let node_id = view
        .members()
        .find(|(member, ..)| *member == id)
        .map(|(_, member, _)| member.node_id.clone())
        .unwrap_or_default();
    let old_self_answered = view
        .members()
        .filter(|(_, member, voter)| *voter && member.node_id == node_id)
        .filter_map(|(old, ..)| group.peers.state(old).last_answer)
        .max();
    LearnerState {
        matched: matched(group, id),
        last_piece: group.peers.state(id).last_piece,
        is_level: is_level(group, id),
        is_retired: group.replica.registry().is_retired(id),
        asked: group.join_requests.last_request(&node_id),
        old_self_answered,
    }
}

/// Returns the index of the last entry that a follower is known to hold, or `None` if this node
/// does not lead.
fn matched(group: &Group, id: RaftId) -> Option<u64> {
    let metrics = group.raft.metrics();
    let metrics = metrics.borrow_watched();
    let matched = metrics.replication.as_ref()?.get(&id)?.as_ref()?;
    Some(matched.index)
}

/// Maximum distance in entries from the end of the log at which a learner counts as caught up.
const LEVEL_WITHIN_ENTRIES: u64 = 16;

/// Returns whether a learner has caught up: it holds the whole log except for its last few entries.
pub(crate) fn is_level(group: &Group, id: RaftId) -> bool {
    let last = group.raft.metrics().borrow_watched().last_log_index;
    match (matched(group, id), last) {
        (Some(matched), Some(last)) => matched + LEVEL_WITHIN_ENTRIES >= last,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn learner(at: Instant) -> LearnerProgress {
        LearnerProgress {
            seen_first: at,
            matched: None,
            progressed: at,
        }
    }

    /// A learner that takes no entries and no pieces of a snapshot is removed after a minute, even
    /// if it keeps asking to join.
    #[test]
    fn one_that_takes_nothing_is_removed() {
        let start = clock::now();
        let mut idle = learner(start);
        let asks = |at| LearnerState {
            asked: Some(at),
            ..LearnerState::default()
        };
        let soon = start + IDLE_AFTER;
        assert_eq!(idle.reason_to_remove(&asks(soon), soon), None);
        let late = soon + SECOND;
        assert!(idle.reason_to_remove(&asks(late), late).is_some());
    }

    /// A learner that makes progress with a long log or a large snapshot is kept, even by a leader
    /// that never received a join request from the learner.
    #[test]
    fn one_that_gets_on_is_kept() {
        let start = clock::now();
        let mut of_log = learner(start);
        let mut of_snapshot = learner(start);
        for minute in 1..10 {
            let now = start + minute * IDLE_AFTER;
            let entries = LearnerState {
                matched: Some(u64::from(minute)),
                ..LearnerState::default()
            };
            let pieces = LearnerState {
                last_piece: Some(now),
                ..LearnerState::default()
            };
            assert_eq!(of_log.reason_to_remove(&entries, now), None);
            assert_eq!(of_snapshot.reason_to_remove(&pieces, now), None);
        }
    }

    /// A learner that has caught up and no longer asks to join will not become a voter. It is
    /// removed, also by a new leader.
    #[test]
    fn one_that_is_level_and_silent_is_removed() {
        let start = clock::now();
        let mut level = learner(start);
        let now = start + IDLE_AFTER + SECOND;
        let state = |asked| LearnerState {
            matched: Some(9),
            is_level: true,
            asked,
            ..LearnerState::default()
        };
        assert_eq!(
            level.reason_to_remove(&state(Some(now - SECOND)), now),
            None
        );
        assert!(level.reason_to_remove(&state(Some(start)), now).is_some());
        assert!(level.reason_to_remove(&state(None), now).is_some());
    }

    /// A learner is removed if the voter with its node id answers after all. The learner would
    /// otherwise replace that voter, which is healthy.
    #[test]
    fn one_whose_old_self_answers_is_removed() {
        let start = clock::now();
        let mut stray = learner(start);
        let state = |at| LearnerState {
            old_self_answered: Some(at),
            ..LearnerState::default()
        };
        let now = start + 2 * SECOND;
        assert_eq!(
            stray.reason_to_remove(&state(start - SECOND), now),
            None,
            "before it went down"
        );
        assert!(
            stray
                .reason_to_remove(&state(start + SECOND), now)
                .is_some()
        );
    }

    /// A learner that a newer incarnation has replaced is removed immediately.
    #[test]
    fn one_that_is_retired_is_removed() {
        let start = clock::now();
        let state = LearnerState {
            is_retired: true,
            ..LearnerState::default()
        };
        assert!(learner(start).reason_to_remove(&state, start).is_some());
    }
}
