//! The leader's view of its learners: which ones make progress, and which ones to remove.
//!
//! A learner is a node on its way to become a voter. A learner that does not become one must not
//! stay: every member would dial it forever, and a node that was only down for a while would find
//! its own id taken.

use crate::clock::{self, Instant};
use crate::raft::group::Group;
use crate::raft::group::view::View;
use crate::storage::types::RaftId;
use openraft::async_runtime::WatchReceiver;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Time without progress after which a learner is removed. A learner that has caught up is also
/// removed if it has not asked to join for this long. It is longer than the installation of a
/// snapshot may take on a slow disk.
const IDLE_AFTER: Duration = Duration::from_secs(60);

/// The learners of the group, as seen since this node began to lead.
#[derive(Default)]
pub(crate) struct Newcomers {
    by_id: BTreeMap<RaftId, Newcomer>,
}

/// A leader's observations of one learner.
#[derive(Debug, Clone, Copy)]
struct Newcomer {
    seen_first: Instant,
    matched: Option<u64>,
    /// The last time at which the learner took an entry or a piece of a snapshot; initially the
    /// time at which it was first seen.
    progressed: Instant,
}

/// The state of a learner at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Signs {
    /// The last entry that the learner is known to hold.
    matched: Option<u64>,
    last_piece: Option<Instant>,
    is_level: bool,
    is_retired: bool,
    /// The last time at which the node asked to join.
    asked: Option<Instant>,
    /// The last time at which a voter with the same node id answered.
    old_self_answered: Option<Instant>,
}

impl Newcomers {
    /// Forgets all learners, because another node leads.
    pub(crate) fn forget(&mut self) {
        self.by_id.clear();
    }

    /// Checks every learner. Returns the learners to remove, each with the reason.
    pub(crate) fn look(&mut self, group: &Group) -> Vec<(RaftId, &'static str)> {
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
                let signs = signs_of(group, &view, id);
                let newcomer = self.by_id.entry(id).or_insert(Newcomer {
                    seen_first: now,
                    matched: signs.matched,
                    progressed: now,
                });
                Some((id, newcomer.judge(&signs, now)?))
            })
            .collect()
    }
}

impl Newcomer {
    /// Returns the reason to remove the learner, if there is one.
    fn judge(&mut self, signs: &Signs, now: Instant) -> Option<&'static str> {
        if signs.matched > self.matched {
            self.matched = signs.matched;
            self.progressed = now;
        }
        let progressed = self
            .progressed
            .max(signs.last_piece.unwrap_or(self.progressed));
        let asked = signs.asked.unwrap_or(self.seen_first).max(self.seen_first);
        if signs.is_retired {
            return Some("it was replaced by a newer incarnation");
        }
        if signs
            .old_self_answered
            .is_some_and(|at| at > self.seen_first)
        {
            return Some("the voter with its node.id answers");
        }
        if now.duration_since(progressed) > IDLE_AFTER {
            return Some("it has accepted no log entries for a minute");
        }
        if signs.is_level && now.duration_since(asked) > IDLE_AFTER {
            return Some("it has not asked to join for a minute");
        }
        None
    }
}

fn signs_of(group: &Group, view: &View, id: RaftId) -> Signs {
    let node_id = view
        .members()
        .find(|(member, ..)| *member == id)
        .map(|(_, member, _)| member.node_id.clone())
        .unwrap_or_default();
    let old_self_answered = view
        .members()
        .filter(|(_, member, voter)| *voter && member.node_id == node_id)
        .filter_map(|(old, ..)| group.peers.known(old).last_answer)
        .max();
    Signs {
        matched: matched(group, id),
        last_piece: group.peers.known(id).last_piece,
        is_level: is_level(group, id),
        is_retired: group.replica.registry().is_retired(id),
        asked: group.wishes.asked(&node_id),
        old_self_answered,
    }
}

/// Returns the last entry that a follower is known to hold, while this node leads.
fn matched(group: &Group, id: RaftId) -> Option<u64> {
    let metrics = group.raft.metrics();
    let metrics = metrics.borrow_watched();
    let matched = metrics.replication.as_ref()?.get(&id)?.as_ref()?;
    Some(matched.index)
}

/// Maximum distance in entries from the end of the log at which a learner counts as caught up.
const LEVEL_WITHIN_ENTRIES: u64 = 16;

/// Returns whether a learner holds the whole log except for its last few entries.
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

    fn newcomer(at: Instant) -> Newcomer {
        Newcomer {
            seen_first: at,
            matched: None,
            progressed: at,
        }
    }

    /// A learner that takes nothing is removed after a minute, even if it keeps asking to join.
    #[test]
    fn one_that_takes_nothing_is_removed() {
        let start = clock::now();
        let mut idle = newcomer(start);
        let asks = |at| Signs {
            asked: Some(at),
            ..Signs::default()
        };
        let soon = start + IDLE_AFTER;
        assert_eq!(idle.judge(&asks(soon), soon), None);
        let late = soon + SECOND;
        assert!(idle.judge(&asks(late), late).is_some());
    }

    /// A learner that receives a long log or a large snapshot is kept while that lasts, even by a
    /// leader that never received a join request from it.
    #[test]
    fn one_that_gets_on_is_kept() {
        let start = clock::now();
        let mut of_log = newcomer(start);
        let mut of_snapshot = newcomer(start);
        for minute in 1..10 {
            let now = start + minute * IDLE_AFTER;
            let entries = Signs {
                matched: Some(u64::from(minute)),
                ..Signs::default()
            };
            let pieces = Signs {
                last_piece: Some(now),
                ..Signs::default()
            };
            assert_eq!(of_log.judge(&entries, now), None);
            assert_eq!(of_snapshot.judge(&pieces, now), None);
        }
    }

    /// A learner that has caught up and no longer asks to join will not become a voter. It is
    /// removed, also by a new leader.
    #[test]
    fn one_that_is_level_and_silent_is_removed() {
        let start = clock::now();
        let mut level = newcomer(start);
        let now = start + IDLE_AFTER + SECOND;
        let signs = |asked| Signs {
            matched: Some(9),
            is_level: true,
            asked,
            ..Signs::default()
        };
        assert_eq!(level.judge(&signs(Some(now - SECOND)), now), None);
        assert!(level.judge(&signs(Some(start)), now).is_some());
        assert!(level.judge(&signs(None), now).is_some());
    }

    /// A learner is removed if the voter with its node id answers after all: that node is healthy,
    /// and the learner would take its place.
    #[test]
    fn one_whose_old_self_answers_is_removed() {
        let start = clock::now();
        let mut stray = newcomer(start);
        let signs = |at| Signs {
            old_self_answered: Some(at),
            ..Signs::default()
        };
        let now = start + 2 * SECOND;
        assert_eq!(
            stray.judge(&signs(start - SECOND), now),
            None,
            "before it went down"
        );
        assert!(stray.judge(&signs(start + SECOND), now).is_some());
    }

    /// A learner that was replaced is removed immediately.
    #[test]
    fn one_that_is_retired_is_removed() {
        let start = clock::now();
        let signs = Signs {
            is_retired: true,
            ..Signs::default()
        };
        assert!(newcomer(start).judge(&signs, start).is_some());
    }
}
