//! The check that the order of the indexes agrees with real time.

use super::report::Certificate;
use super::violation::Violation;
use crate::history::Operation;

/// The 2xx answers of a history that have an index, sorted by index.
///
/// `known` gives, for an index, a time by which the log had certainly reached the index. `called`
/// gives, for a log entry, a time at which the entry certainly did not exist yet.
#[derive(Debug)]
pub struct Order<'a> {
    history: &'a [Operation],
    /// (index, return, position) for each answer. `return` is the earliest return among the answers
    /// with this index or a later index. `position` is the position in `history` of the operation
    /// with this return.
    known: Vec<(u64, u64, usize)>,
    /// (index, call) for each answer. `call` is the latest call among the answers with this index
    /// or an earlier index.
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

    /// Finds the earliest return among the answers with this index or a later index. Returns the
    /// time of this return, and the position of the operation.
    pub fn known(&self, index: u64) -> Option<(u64, usize)> {
        let from = self.known.partition_point(|(other, ..)| *other < index);
        self.known.get(from).map(|&(_, by_ns, at)| (by_ns, at))
    }

    /// Returns the operation of [`Order::known`], if it returned before `call_ns`.
    pub fn known_before(&self, index: u64, call_ns: u64) -> Option<usize> {
        self.known(index)
            .filter(|(by_ns, _)| *by_ns < call_ns)
            .map(|(_, at)| at)
    }

    /// Returns the latest call of all answers with an earlier index. An entry with this index was
    /// created after this call.
    pub fn called_before(&self, index: u64) -> u64 {
        let end = self.called.partition_point(|(other, _)| *other < index);
        let last = end.checked_sub(1).and_then(|last| self.called.get(last));
        last.map_or(0, |&(_, call_ns)| call_ns)
    }

    /// Reports answers without an index. Also reports pairs of answers whose indexes contradict
    /// real time: the second answer was requested after the first was read, but the index of the
    /// second is too early.
    pub fn check(&self, certificate: &mut Certificate) {
        for (second, operation) in self.history.iter().enumerate() {
            if !operation.succeeded() {
                continue;
            }
            let Some(index) = operation.index else {
                certificate.report(Violation::NoIndex { operation: second });
                continue;
            };
            // A lookup may have the same index as an operation that returned before the lookup was
            // called. A change needs a later index, since the entry of a change is created after
            // the call.
            let too_late = index.saturating_add(u64::from(!operation.is_write()));
            if let Some(first) = self.known_before(too_late, operation.call_ns) {
                certificate.report(Violation::BackInTime { first, second });
            }
        }
    }
}
