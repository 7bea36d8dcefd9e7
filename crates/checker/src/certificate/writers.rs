//! Who asked for a change that is in the log or shows in a lookup.

use super::report::Certificate;
use super::violation::Violation;
use crate::history::{Input, Name, Operation, Outcome};
use std::collections::{HashMap, HashSet};

/// What became of a node by a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// It announced or renewed this token.
    To(u64),
    /// It left.
    Gone,
}

/// The change that an operation asks for.
pub fn change_of(input: &Input) -> Option<Change> {
    match input {
        Input::Announce { token, .. } => Some(Change::To(*token)),
        Input::Withdraw { .. } => Some(Change::Gone),
        Input::Lookup { .. } => None,
    }
}

/// The acknowledged changes of one node with one index: all the same change.
#[derive(Debug, Default)]
struct Acked {
    waiting: Vec<usize>,
    /// Whether the log has it.
    is_there: bool,
}

/// The changes of a history that are not yet accounted for, as positions in it.
#[derive(Debug)]
pub struct Writers<'a> {
    history: &'a [Operation],
    acked: HashMap<(u64, Name), Acked>,
    /// By the time of the call, earliest first: it has the fewest rules against it.
    unknown: HashMap<&'a str, Vec<usize>>,
    /// What may be behind a change in the log, whether or not it was taken already: acknowledged
    /// with that index, or of unknown fate.
    suspects: HashMap<(Option<u64>, &'a str, Change), Vec<usize>>,
    refused: HashMap<&'a str, Vec<usize>>,
    nodes: HashSet<&'a str>,
}

impl<'a> Writers<'a> {
    /// Of a history. Reports different changes of one node with one index.
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
                (Outcome::Acked, Some(index)) => {
                    let same = writers.acked.entry((index, node.clone())).or_default();
                    if let Some(&first) = same.waiting.first()
                        && change_of(&history[first].input) != change_of(&operation.input)
                    {
                        certificate.report(Violation::TwoAtOneIndex { first, second: at });
                    }
                    same.waiting.push(at);
                }
                (Outcome::Unknown, _) => writers.unknown.entry(node).or_default().push(at),
                (Outcome::Refused, _) => writers.refused.entry(node).or_default().push(at),
                _ => {}
            }
        }
        for waiting in writers.unknown.values_mut() {
            waiting.sort_by_key(|&at| history[at].call_ns);
        }
        writers
    }

    fn suspect(&mut self, operation: usize, node: &'a str) {
        let of = &self.history[operation];
        let index = match of.outcome {
            Outcome::Acked => of.index,
            Outcome::Unknown => None,
            Outcome::Refused | Outcome::Found(_) => return,
        };
        if let Some(change) = change_of(&of.input) {
            let suspects = self.suspects.entry((index, node, change)).or_default();
            suspects.push(operation);
        }
    }

    /// Of the operations that may be behind a change at an index, the one that arrived last, with
    /// the time at which it had surely arrived: `u64::MAX` if that is not known.
    pub fn last_arrived(
        &self,
        index: u64,
        node: &'a str,
        change: Change,
        is_possible: impl Fn(&Operation) -> bool,
    ) -> Option<(u64, usize)> {
        let of = |index| self.suspects.get(&(index, node, change));
        let both = [of(Some(index)), of(None)].into_iter().flatten().flatten();
        let possible = both.filter(|at| is_possible(&self.history[**at]));
        possible
            .map(|&at| (self.history[at].arrived_ns.unwrap_or(u64::MAX), at))
            .max()
    }

    /// Takes the acknowledged change of a node at an index.
    pub fn take_acked(&mut self, index: u64, node: &Name, change: Change) -> Option<usize> {
        let history = self.history;
        let acked = self.acked.get_mut(&(index, node.clone()))?;
        let is_it = |&at: &usize| change_of(&history[at].input) == Some(change);
        let at = acked.waiting.iter().position(is_it)?;
        acked.is_there = true;
        Some(acked.waiting.swap_remove(at))
    }

    /// The acknowledged change of a node at an index.
    pub fn acked(&self, index: u64, node: &Name) -> Option<usize> {
        self.acked
            .get(&(index, node.clone()))?
            .waiting
            .first()
            .copied()
    }

    /// Whether the history has a change of this node.
    pub fn knows(&self, node: &str) -> bool {
        self.nodes.contains(node)
    }

    /// Takes the first change of unknown fate of a node that is as wanted.
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

    /// Takes a refused change of a node.
    pub fn take_refused(&mut self, node: &str, change: Change) -> Option<usize> {
        let history = self.history;
        let waiting = self.refused.get_mut(node)?;
        let is_it = |&at: &usize| change_of(&history[at].input) == Some(change);
        let at = waiting.iter().position(is_it)?;
        Some(waiting.swap_remove(at))
    }

    /// The acknowledged changes from an index on that the log does not have.
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
