//! Attribution of changes, in the log or in lookups, to the operations that requested them.

use super::report::Certificate;
use super::violation::Violation;
use crate::history::{Input, Name, Operation, RequestOutcome};
use std::collections::{HashMap, HashSet};

/// The effect of a change on its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriterChange {
    /// The node announced or renewed this token.
    To(u64),
    /// The node was withdrawn.
    Gone,
}

/// Returns the change that an operation requests.
pub fn change_of(input: &Input) -> Option<WriterChange> {
    match input {
        Input::Announce { token, .. } => Some(WriterChange::To(*token)),
        Input::Withdraw { .. } => Some(WriterChange::Gone),
        Input::Lookup { .. } => None,
    }
}

/// The acknowledged changes of one node with one index, which must all be the same change.
#[derive(Debug, Default)]
struct Acked {
    waiting: Vec<usize>,
    /// Whether the log contains the change.
    is_there: bool,
}

/// The changes of a history that are not yet attributed, as positions in the history.
#[derive(Debug)]
pub struct Writers<'a> {
    history: &'a [Operation],
    acked: HashMap<(u64, Name), Acked>,
    /// Changes with an unknown outcome, sorted by the time of the call. The earliest change is
    /// attributed first, since it is possible at every index at which a later change is possible.
    unknown: HashMap<&'a str, Vec<usize>>,
    /// Operations that may have caused a change in the log. They were acknowledged with the index
    /// of the change, or have an unknown outcome (`None` in place of the index). Attributed
    /// operations stay in this map.
    suspects: HashMap<(Option<u64>, &'a str, WriterChange), Vec<usize>>,
    refused: HashMap<&'a str, Vec<usize>>,
    nodes: HashSet<&'a str>,
}

impl<'a> Writers<'a> {
    /// Collects the changes of a history. Reports different changes of one node that have the same
    /// `Quorate-Index`.
    pub fn new(history: &'a [Operation], certificate: &mut Certificate) -> Self {
        let mut writers = Self {
            history,
            acked: HashMap::new(),
            unknown: HashMap::new(),
            suspects: HashMap::new(),
            refused: HashMap::new(),
            nodes: HashSet::new(),
        };
        for (at, operation) in history.iter().enumerate() {
            let Some(node) = operation.input.node() else {
                continue;
            };
            writers.nodes.insert(node);
            writers.suspect(at, node);
            match (&operation.outcome, operation.index) {
                (RequestOutcome::Acked, Some(index)) => {
                    let same = writers.acked.entry((index, node.clone())).or_default();
                    if let Some(&first) = same.waiting.first()
                        && change_of(&history[first].input) != change_of(&operation.input)
                    {
                        certificate.report(Violation::TwoAtOneIndex { first, second: at });
                    }
                    same.waiting.push(at);
                }
                (RequestOutcome::Unknown, _) => writers.unknown.entry(node).or_default().push(at),
                (RequestOutcome::Refused, _) => writers.refused.entry(node).or_default().push(at),
                _ => {}
            }
        }
        for waiting in writers.unknown.values_mut() {
            waiting.sort_by_key(|&at| history[at].call_ns);
        }
        writers
    }

    /// Adds an operation to `suspects`, if it may have had an effect.
    fn suspect(&mut self, operation: usize, node: &'a str) {
        let of = &self.history[operation];
        let index = match of.outcome {
            RequestOutcome::Acked => of.index,
            RequestOutcome::Unknown => None,
            RequestOutcome::Refused | RequestOutcome::Found(_) => return,
        };
        if let Some(change) = change_of(&of.input) {
            let suspects = self.suspects.entry((index, node, change)).or_default();
            suspects.push(operation);
        }
    }

    /// Returns the operation that arrived last among the operations that may have caused a change
    /// at an index. Also returns the time by which the operation had certainly arrived, or
    /// `u64::MAX` if this time is unknown.
    pub fn last_arrived(
        &self,
        index: u64,
        node: &'a str,
        change: WriterChange,
        is_possible: impl Fn(&Operation) -> bool,
    ) -> Option<(u64, usize)> {
        let of = |index| self.suspects.get(&(index, node, change));
        let both = [of(Some(index)), of(None)].into_iter().flatten().flatten();
        let possible = both.filter(|at| is_possible(&self.history[**at]));
        possible
            .map(|&at| (self.history[at].arrived_ns.unwrap_or(u64::MAX), at))
            .max()
    }

    /// Removes and returns an acknowledged change of a node at an index, and marks it as contained
    /// in the log.
    pub fn take_acked(&mut self, index: u64, node: &Name, change: WriterChange) -> Option<usize> {
        let history = self.history;
        let acked = self.acked.get_mut(&(index, node.clone()))?;
        let is_it = |&at: &usize| change_of(&history[at].input) == Some(change);
        let at = acked.waiting.iter().position(is_it)?;
        acked.is_there = true;
        Some(acked.waiting.swap_remove(at))
    }

    /// Returns an acknowledged change of a node at an index, if the change is not attributed yet.
    /// Does not remove the change.
    pub fn acked(&self, index: u64, node: &Name) -> Option<usize> {
        self.acked
            .get(&(index, node.clone()))?
            .waiting
            .first()
            .copied()
    }

    /// Whether the history contains a change of this node.
    pub fn knows(&self, node: &str) -> bool {
        self.nodes.contains(node)
    }

    /// Removes a change with an unknown outcome from the changes of a node, and returns it. Takes
    /// the earliest change for which `is_it` is true.
    pub fn take_unknown(
        &mut self,
        node: &str,
        is_it: impl Fn(&Operation) -> bool,
    ) -> Option<usize> {
        let history = self.history;
        let waiting = self.unknown.get_mut(node)?;
        let at = waiting.iter().position(|&at| is_it(&history[at]))?;
        Some(waiting.remove(at))
    }

    /// Removes and returns a refused change of a node.
    pub fn take_refused(&mut self, node: &str, change: WriterChange) -> Option<usize> {
        let history = self.history;
        let waiting = self.refused.get_mut(node)?;
        let is_it = |&at: &usize| change_of(&history[at].input) == Some(change);
        let at = waiting.iter().position(is_it)?;
        Some(waiting.swap_remove(at))
    }

    /// Returns the acknowledged changes with index `from_index` or later that the log does not
    /// contain.
    pub fn lost(&self, from_index: u64) -> Vec<usize> {
        let mut lost: Vec<usize> = self
            .acked
            .iter()
            .filter(|((index, _), acked)| *index >= from_index && !acked.is_there)
            .flat_map(|(_, acked)| acked.waiting.iter().copied())
            .collect();
        lost.sort_unstable();
        lost
    }
}
