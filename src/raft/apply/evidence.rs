//! Evidence for the order of writes: the log positions that this node knows of. Each write records
//! these positions on arrival ([`Arrival`](crate::registry::Arrival)).

use crate::locks::lock;
use crate::registry::{Leadership, Tail};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The highest committed index that this node knows of, and the last log entry that it knows the
/// newest leader to have (the tail).
///
/// A client may be acknowledged by one node and, a millisecond later, write through a second node.
/// By that time, the second node has rarely applied the acknowledged entry, but often knows that
/// the entry exists. The positions are therefore taken from all sources, and not only from applied
/// entries. The other sources are appends from leaders, applied indexes reported by peers, and the
/// results of this node's own writes and reads.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    committed: AtomicU64,
    tail: Mutex<Option<Tail>>,
}

impl Evidence {
    /// Records that `index` is committed.
    pub(crate) fn note_committed(&self, index: u64) {
        // Usually the index is already known. A plain load detects this without taking the cache
        // line from another processor.
        if self.committed.load(Ordering::Relaxed) < index {
            self.committed.fetch_max(index, Ordering::Relaxed);
        }
    }

    /// Records that a leader has the entry at `index` in its log.
    pub(crate) fn note_tail(&self, leadership: Leadership, index: u64) {
        let reported = Tail { leadership, index };
        let mut tail = lock(&self.tail);
        let is_newer = tail.is_none_or(|known| {
            (known.leadership, known.index) < (reported.leadership, reported.index)
        });
        if is_newer {
            *tail = Some(reported);
        }
    }

    /// Returns the highest committed index. Also returns the last log entry that this node knows
    /// the newest leader to have, if the index of that entry is higher.
    pub(crate) fn known(&self) -> (u64, Option<Tail>) {
        let committed = self.committed.load(Ordering::Relaxed);
        let tail = lock(&self.tail).filter(|tail| tail.index > committed);
        (committed, tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(term: u64, node: u64, index: u64) -> Tail {
        let leadership = Leadership { term, node };
        Tail { leadership, index }
    }

    /// A late report never lowers the recorded values. An entry of a new leader's log replaces the
    /// last entry of an earlier leader's log even if the new index is lower.
    #[test]
    fn the_newest_is_kept() {
        let evidence = Evidence::default();
        assert_eq!(evidence.known(), (0, None));
        for index in [7, 9, 8] {
            evidence.note_committed(index);
        }
        for reported in [tail(2, 1, 20), tail(2, 1, 19), tail(1, 5, 30)] {
            evidence.note_tail(reported.leadership, reported.index);
        }
        assert_eq!(evidence.known(), (9, Some(tail(2, 1, 20))));
        let newer = tail(3, 4, 12);
        evidence.note_tail(newer.leadership, newer.index);
        assert_eq!(evidence.known(), (9, Some(newer)));
        evidence.note_committed(12);
        assert_eq!(evidence.known(), (12, None));
    }
}
