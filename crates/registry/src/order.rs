//! What a write knows of the writes before it, and which of them it may come over.

use serde::{Deserialize, Serialize};

/// The term of a leader and its raft id. A term alone does not name a leader: openraft may have two
/// in one term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leadership {
    /// The term.
    pub term: u64,
    /// The raft id of the leader.
    pub node: u64,
}

/// The last entry that a leader is known to have in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// The leader that has it.
    pub leadership: Leadership,
    /// Its log index.
    pub index: u64,
}

/// What the node that took a write knew when the write arrived.
///
/// All of it is noted once, at the arrival, and a write is never proposed with anything newer. A
/// write may come over another write of its node only if that one surely began before this one
/// arrived. That is so for:
///
/// - an entry at or below `committed`: it was committed before this write arrived.
/// - an entry at or below `tail`, if the entry that carries this write was proposed by the same
///   leader. A leader only appends to its log, so what it had there at the arrival it has proposed
///   before it. If another leader proposed the write, then nobody knows which entries of the old
///   leader came first, and `tail` counts for nothing.
/// - the entry at `previous`: the write in it arrived at the same node, and earlier; and it was in
///   order itself, so that all before it began earlier too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Arrival {
    /// The highest log index that was known to be committed.
    pub committed: u64,
    /// The last entry that the leader was known to have; absent if it is not above `committed`.
    pub tail: Option<Tail>,
    /// The index of the last write of the same node that this taker saw accepted before this one
    /// had its turn.
    pub previous: Option<u64>,
    /// The write changes nothing once ticks have counted more than this
    /// ([`Registry::ticked_ms`](crate::Registry::ticked_ms)), in milliseconds.
    ///
    /// The taker sets it to the most that they can have counted when its client gives up, by its
    /// own clock. If they have counted more, then that clock stood still, as in a paused virtual
    /// machine, and the rest of what the taker knew may be newer than the request that it read.
    pub until_ms: Option<u64>,
}

/// What of a write's arrival counts in the entry that carries it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// Whether the order is that of level 4, in which nothing is exempt.
    is_strict: bool,
    seen: u64,
    previous: Option<u64>,
    is_late: bool,
}

impl Order {
    /// The order of a command that carries one index, as before level 4.
    pub fn seen(seen: u64) -> Self {
        Self {
            is_strict: false,
            seen,
            previous: None,
            is_late: false,
        }
    }

    /// The order of a write in an entry that `proposer` proposed, at a moment of cluster time.
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

    /// Whether a write of the same node in the entry at `index` forbids this one to change
    /// anything.
    pub fn is_overtaken_by(self, index: u64) -> bool {
        self.is_late || (index > self.seen && self.previous != Some(index))
    }

    /// The same for a write that would change nothing that a lookup shows: a renewal, a withdrawal
    /// of what is not held. Before level 4 it was done however late it came.
    pub fn is_overtaken_without_effect_by(self, index: u64) -> bool {
        self.is_strict && self.is_overtaken_by(index)
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

    /// What the leader had in its log counts in an entry of that leader, and of no other: not of
    /// another term, and not of another leader in that term.
    #[test]
    fn the_tail_counts_for_its_own_leader_alone() {
        let overtaken = |proposer, index| Order::of(&arrival(), proposer, 0).is_overtaken_by(index);
        assert!(!overtaken(Some(LEADER), 20));
        assert!(overtaken(Some(LEADER), 21));
        for other in [
            None,
            Some(Leadership { term: 3, ..LEADER }),
            Some(Leadership { node: 8, ..LEADER }),
        ] {
            assert!(!overtaken(other, 10), "{other:?}");
            assert!(overtaken(other, 11), "{other:?}");
            assert!(overtaken(other, 20), "{other:?}");
        }
    }

    /// The write before it in its turn may be written over, and none before or after that one.
    #[test]
    fn the_previous_write_is_one_entry_alone() {
        let order = Order::of(&arrival(), Some(LEADER), 0);
        assert!(order.is_overtaken_by(24));
        assert!(!order.is_overtaken_by(25));
        assert!(order.is_overtaken_by(26));
    }

    /// A write that cluster time has passed by comes over nothing at all.
    #[test]
    fn a_late_write_comes_over_nothing() {
        assert!(!Order::of(&arrival(), Some(LEADER), 1_000).is_overtaken_by(1));
        assert!(Order::of(&arrival(), Some(LEADER), 1_001).is_overtaken_by(1));
        let endless = Arrival {
            until_ms: None,
            ..arrival()
        };
        assert!(!Order::of(&endless, Some(LEADER), u64::MAX).is_overtaken_by(1));
    }
}
