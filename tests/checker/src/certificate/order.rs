//! The order of indexes against real time.

use super::{Certificate, Violation};
use crate::history::Operation;

/// The answers of 2xx by index, and for each index who knew it first.
#[derive(Debug)]
pub struct Order<'a> {
    history: &'a [Operation],
    /// (index, the earliest return of all answers with this index or a later one, whose).
    known: Vec<(u64, u64, usize)>,
}

impl<'a> Order<'a> {
    /// Of a history; answers without an index are left out.
    pub fn new(history: &'a [Operation]) -> Self {
        let mut known: Vec<(u64, u64, usize)> = history
            .iter()
            .enumerate()
            .filter(|(_, operation)| operation.succeeded())
            .filter_map(|(at, operation)| Some((operation.index?, operation.over_by_ns(), at)))
            .collect();
        known.sort_unstable();
        let mut earliest = (u64::MAX, 0);
        for (_, return_ns, at) in known.iter_mut().rev() {
            earliest = earliest.min((*return_ns, *at));
            (*return_ns, *at) = earliest;
        }
        Self { history, known }
    }

    /// When the first answer with this index or a later one had returned, and whose it was.
    pub fn known(&self, index: u64) -> Option<(u64, usize)> {
        let from = self.known.partition_point(|(other, ..)| *other < index);
        self.known.get(from).map(|&(_, by_ns, at)| (by_ns, at))
    }

    /// Who knew this index before `call_ns`.
    pub fn known_before(&self, index: u64, call_ns: u64) -> Option<usize> {
        self.known(index)
            .filter(|(by_ns, _)| *by_ns < call_ns)
            .map(|(_, at)| at)
    }

    /// Reports answers without an index, and those whose index is earlier than that of something that returned before their call.
    pub fn check(&self, certificate: &mut Certificate) {
        for (second, operation) in self.history.iter().enumerate() {
            if !operation.succeeded() {
                continue;
            }
            let Some(index) = operation.index else {
                certificate.report(Violation::NoIndex { operation: second });
                continue;
            };
            // A lookup may name the index of what went before; a change makes its own.
            let too_late = index.saturating_add(u64::from(!operation.is_write()));
            if let Some(first) = self.known_before(too_late, operation.call_ns) {
                certificate.report(Violation::BackInTime { first, second });
            }
        }
    }
}
