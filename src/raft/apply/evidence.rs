//! What this node knows of the log at the moment at which a write arrives.

use crate::locks::lock;
use crate::registry::{Leadership, Tail};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The highest committed index, and the last entry of a leader, that this node has heard of.
///
/// A client may be acknowledged by one node and write through another a millisecond later. That
/// node has often heard of the entry, and seldom applied it. So all that it hears counts here, and
/// not only what it has applied: what leaders send, what peers say that they have applied, what its
/// own writes and reads came to.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    committed: AtomicU64,
    tail: Mutex<Option<Tail>>,
}

impl Evidence {
    /// An index is committed.
    pub(crate) fn note_committed(&self, index: u64) {
        // Most often it is known already, and then the line need not be taken from another
        // processor.
        if self.committed.load(Ordering::Relaxed) < index {
            self.committed.fetch_max(index, Ordering::Relaxed);
        }
    }

    /// A leader has the entry at an index in its log.
    pub(crate) fn note_tail(&self, leadership: Leadership, index: u64) {
        let heard = Tail { leadership, index };
        let mut tail = lock(&self.tail);
        let is_newer = tail
            .is_none_or(|known| (known.leadership, known.index) < (heard.leadership, heard.index));
        if is_newer {
            *tail = Some(heard);
        }
    }

    /// What is known now: the highest committed index, and the tail if it is above that.
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

    /// What is heard late takes nothing back, and a new leader's log counts even if it is shorter.
    #[test]
    fn the_newest_is_kept() {
        let evidence = Evidence::default();
        assert_eq!(evidence.known(), (0, None));
        for index in [7, 9, 8] {
            evidence.note_committed(index);
        }
        for heard in [tail(2, 1, 20), tail(2, 1, 19), tail(1, 5, 30)] {
            evidence.note_tail(heard.leadership, heard.index);
        }
        assert_eq!(evidence.known(), (9, Some(tail(2, 1, 20))));
        let newer = tail(3, 4, 12);
        evidence.note_tail(newer.leadership, newer.index);
        assert_eq!(evidence.known(), (9, Some(newer)));
        evidence.note_committed(12);
        assert_eq!(evidence.known(), (12, None));
    }
}
