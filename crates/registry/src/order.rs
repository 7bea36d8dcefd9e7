//! The order of writes of one node.
//!
//! Each write carries evidence about earlier writes ([`Arrival`]). The evidence decides which
//! earlier writes the write may replace (`WriteOrder`).

use serde::{Deserialize, Serialize};

/// The term and the raft id of a leader. A term alone does not identify a leader, because openraft
/// may have two leaders in one term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leadership {
    /// The term.
    pub term: u64,
    /// The raft id of the leader.
    pub node: u64,
}

/// The tail of a leader's log: the last entry that the leader is known to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// The leader that has this entry in its log.
    pub leadership: Leadership,
    /// The log index of the entry.
    pub index: u64,
}

/// The evidence that a write carries: what its receiving node knew of the log when the write
/// arrived.
///
/// The evidence is recorded once, on arrival. A write is never proposed with newer evidence.
///
/// Write B may replace write A of the same node only if A certainly began before B arrived. This is
/// certain if A is in one of these entries (`committed`, `tail` and `previous` are fields of the
/// evidence of B):
///
/// - an entry at or below `committed`, because that entry was committed before B arrived.
/// - an entry at or below `tail`, if the leader of `tail` also proposed the entry with B. A leader
///   only appends to its log, so its log had all entries up to `tail` before B arrived. The log of
///   another leader may have newer entries at these indexes, so `tail` is ignored if another leader
///   proposed B.
/// - the entry at `previous`, because the write in that entry arrived before B at the same
///   receiving node. That write has itself replaced the accepted writes of the same node id at
///   lower indexes, because the registry would otherwise have refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Arrival {
    /// The highest log index known to be committed.
    pub committed: u64,
    /// The last entry that the newest leader was known to have; absent if its index is not above
    /// `committed`.
    pub tail: Option<Tail>,
    /// The log index of an earlier accepted write of the same node id: the last such write that the
    /// receiving node knew of before it processed this write.
    pub previous: Option<u64>,
    /// The value of [`Registry::ticked_ms`](crate::Registry::ticked_ms), in milliseconds, after
    /// which the write changes nothing.
    ///
    /// By the clock of the receiving node, ticks cannot count more than this value before the
    /// client gives up. If ticks have counted more when the write is applied, either the client has
    /// given up, or this clock stopped, as in a paused virtual machine. If the clock stopped, the
    /// rest of the evidence may be newer than the client's request.
    pub until_ms: Option<u64>,
}

/// The rule that decides which earlier writes a write may replace. It is derived from the parts of
/// the write's [`Arrival`] that are valid in the entry with the write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteOrder {
    /// Whether the rules of level 4 apply, under which renewals and withdrawals of unregistered
    /// nodes are ordered too.
    is_strict: bool,
    seen: u64,
    previous: Option<u64>,
    is_late: bool,
}

impl WriteOrder {
    /// Returns the order of a command that carries only the index `seen`, as before level 4.
    pub fn seen(seen: u64) -> Self {
        Self {
            is_strict: false,
            seen,
            previous: None,
            is_late: false,
        }
    }

    /// Returns the order of a write in an entry that `proposer` proposed and that is applied when
    /// ticks have counted `ticked_ms`.
    pub fn of(arrival: &Arrival, proposer: Option<Leadership>, ticked_ms: u64) -> Self {
        let tail = arrival
            .tail
            .filter(|tail| Some(tail.leadership) == proposer)
            .map_or(0, |tail| tail.index);
        Self {
            is_strict: true,
            seen: arrival.committed.max(tail),
            previous: arrival.previous,
            is_late: arrival.until_ms.is_some_and(|until| ticked_ms > until),
        }
    }

    /// Returns whether a write of the same node in the entry at `index` prevents this write from
    /// changing anything.
    pub fn is_superseded_by(self, index: u64) -> bool {
        self.is_late || (index > self.seen && self.previous != Some(index))
    }

    /// Same as [`WriteOrder::is_superseded_by`], for a renewal or a withdrawal of an unregistered
    /// node, which change nothing in a lookup. Before level 4, such a write was applied no matter
    /// how late it was.
    pub fn is_superseded_without_effect_by(self, index: u64) -> bool {
        self.is_strict && self.is_superseded_by(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: Leadership = Leadership { term: 2, node: 7 };

    fn arrival() -> Arrival {
        Arrival {
            committed: 10,
            tail: Some(Tail {
                leadership: LEADER,
                index: 20,
            }),
            previous: Some(25),
            until_ms: Some(1_000),
        }
    }

    /// The `tail` of a write counts only if the leader that it names also proposed the entry with
    /// the write. It does not count for a leader of another term or for another leader of the same
    /// term.
    #[test]
    fn the_tail_counts_for_its_own_leader_alone() {
        let superseded =
            |proposer, index| WriteOrder::of(&arrival(), proposer, 0).is_superseded_by(index);
        assert!(!superseded(Some(LEADER), 20));
        assert!(superseded(Some(LEADER), 21));
        for other in [
            None,
            Some(Leadership { term: 3, ..LEADER }),
            Some(Leadership { node: 8, ..LEADER }),
        ] {
            assert!(!superseded(other, 10), "{other:?}");
            assert!(superseded(other, 11), "{other:?}");
            assert!(superseded(other, 20), "{other:?}");
        }
    }

    /// Above `tail`, a write may replace only the write in the entry at `previous`, not the writes
    /// in the entries before or after that entry.
    #[test]
    fn the_previous_write_is_one_entry_alone() {
        let order = WriteOrder::of(&arrival(), Some(LEADER), 0);
        assert!(order.is_superseded_by(24));
        assert!(!order.is_superseded_by(25));
        assert!(order.is_superseded_by(26));
    }

    /// A write that is applied after its deadline ([`Arrival::until_ms`]) replaces nothing.
    #[test]
    fn a_late_write_comes_over_nothing() {
        assert!(!WriteOrder::of(&arrival(), Some(LEADER), 1_000).is_superseded_by(1));
        assert!(WriteOrder::of(&arrival(), Some(LEADER), 1_001).is_superseded_by(1));
        let endless = Arrival {
            until_ms: None,
            ..arrival()
        };
        assert!(!WriteOrder::of(&endless, Some(LEADER), u64::MAX).is_superseded_by(1));
    }
}
