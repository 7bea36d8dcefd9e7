//! The check that the order of the indexes agrees with real time.

use super::report::Certificate;
use super::violation::Violation;
use crate::history::Operation;

/// The 2xx answers sorted by index. For each index, `known` has the first answer that proves that
/// the log had reached the index. `called` has the latest call that certainly preceded the creation
/// of every entry with a later index.
#[derive(Debug)]
pub struct Order<'a> {
    history: &'a [Operation],
    /// One tuple (index, return, position) for each answer. The return is the earliest one among
    /// the answers with this index or a later one. The position in `history` is that of the
    /// operation with this return.
    known: Vec<(u64, u64, usize)>,
    /// (index, the latest call of all answers with this index or an earlier one).
    called: Vec<(u64, u64)>,
}

impl<'a> Order<'a> {
    /// Creates the order of a history. Answers without an index are ignored.
    pub fn new(history: &'a [Operation]) -> Self {
        let mut known: Vec<(u64, u64, usize)> = history
            .iter()
            .enumerate()
            .filter(|(_, operation)| operation.succeeded())
            .filter_map(|(at, operation)| Some((operation.index?, operation.over_by_ns(), at)))
            .collect();
        known.sort_unstable();
        let mut called = Vec::with_capacity(known.len());
        let mut latest_ns = 0;
        for &(index, _, at) in &known {
            latest_ns = history[at].call_ns.max(latest_ns);
            called.push((index, latest_ns));
        }
        let mut earliest = (u64::MAX, 0);
        for (_, return_ns, at) in known.iter_mut().rev() {
            earliest = earliest.min((*return_ns, *at));
            (*return_ns, *at) = earliest;
        }
        Self {
            history,
            known,
            called,
        }
    }

    /// Returns the time of the first answer with this index or a later one, and its operation.
    pub fn known(&self, index: u64) -> Option<(u64, usize)> {
        let from = self.known.partition_point(|(other, ..)| *other < index);
        self.known.get(from).map(|&(_, by_ns, at)| (by_ns, at))
    }

    /// Returns the first operation that returned this index or a later one, if it returned before
    /// `call_ns`.
    pub fn known_before(&self, index: u64, call_ns: u64) -> Option<usize> {
        self.known(index)
            .filter(|(by_ns, _)| *by_ns < call_ns)
            .map(|(_, at)| at)
    }

    /// Returns the latest call of all answers with an earlier index. An entry with this index was
    /// created after that call.
    pub fn called_before(&self, index: u64) -> u64 {
        let end = self.called.partition_point(|(other, _)| *other < index);
        let last = end.checked_sub(1).and_then(|last| self.called.get(last));
        last.map_or(0, |&(_, call_ns)| call_ns)
    }

    /// Reports answers without an index, and answers with an index earlier than that of an
    /// operation that returned before their call.
    pub fn check(&self, certificate: &mut Certificate) {
        for (second, operation) in self.history.iter().enumerate() {
            if !operation.succeeded() {
                continue;
            }
            let Some(index) = operation.index else {
                certificate.report(Violation::NoIndex { operation: second });
                continue;
            };
            // A lookup may have the same index as an operation that returned before its call. A
            // change needs a later index, since its entry is created only after its call.
            let too_late = index.saturating_add(u64::from(!operation.is_write()));
            if let Some(first) = self.known_before(too_late, operation.call_ns) {
                certificate.report(Violation::BackInTime { first, second });
            }
        }
    }
}
