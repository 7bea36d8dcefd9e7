//! The first layer: checks every (type, pool) of a history against [`GroupModel`].
//!
//! This layer does not trust the server.
//!
//! A history is divided into groups, one for each type and pool, and each group is judged alone. If
//! every node announces one type in one pool, and every lookup names a type and a pool, each
//! operation concerns a single group. In this case the whole history is linearizable if and only if
//! each group is, by the locality theorem of Herlihy and Wing.
//!
//! An operation that concerns several groups is divided into parts by the rules below. The division
//! raises no false alarm, but may miss a mixture of states across groups.
//!
//! - An announcement of several types is an announcement in the group of each type.
//! - An announcement without the type or the pool of a group is a withdrawal from this group.
//! - Lookups without a type or a pool are checked by the second layer only
//!   ([`crate::certificate`]).
//!
//! Promise e restricts the order of two writes of one node id (`groups/arrivals.rs`).
//!
//! A change with an unknown outcome may take effect at any time after its call, or never. Trying
//! all these times takes longest if a history is broken. The search itself and `groups/unknown.rs`
//! reduce the number of times to try, without changing a verdict.

mod arrivals;
mod unknown;

use crate::history::{Input, Name, Operation, RecordedService, RequestOutcome};
use crate::linearizable::{Call, Explanation, SearchVerdict, check};
use crate::max_age::MaxAge;
use crate::model::{GroupModel, GroupOp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write};

/// A type and a pool.
pub type Group = (Name, Name);

/// The verdict of the first layer on a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupsReport {
    /// Number of groups.
    pub groups: usize,
    /// Number of operations in the search, over all groups.
    pub calls: usize,
    /// The groups that are undecided or not linearizable. Empty if the history is linearizable.
    pub broken: Vec<BrokenGroup>,
}

/// A group that is undecided, or that no order explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenGroup {
    /// The group.
    pub group: Group,
    /// The farthest point of the search, with calls given by their positions in the history. `None`
    /// if the search gave up.
    pub explanation: Option<Explanation>,
}

impl GroupsReport {
    /// Whether every group has an order that explains it.
    #[must_use]
    pub fn is_linearizable(&self) -> bool {
        self.broken.is_empty()
    }

    /// Describes each broken group, with the operations concerned.
    #[must_use]
    pub fn explain(&self, history: &[Operation]) -> String {
        let mut text = String::new();
        for broken in &self.broken {
            // Writing to a String cannot fail.
            let _ = broken.explain(history, &mut text);
        }
        text
    }
}

impl BrokenGroup {
    fn explain(&self, history: &[Operation], text: &mut String) -> fmt::Result {
        let (service_type, pool) = &self.group;
        let Some(explanation) = &self.explanation else {
            return writeln!(text, "{service_type}/{pool}: undecided");
        };
        writeln!(text, "{service_type}/{pool}: no order explains it")?;
        writeln!(text, "  {} placed, the last:", explanation.placed)?;
        for operation in explanation
            .last_placed
            .iter()
            .filter_map(|&at| history.get(at))
        {
            writeln!(text, "    {operation}")?;
        }
        writeln!(
            text,
            "  then {}; none of these can be next:",
            explanation.state
        )?;
        for operation in explanation.stuck.iter().filter_map(|&at| history.get(at)) {
            writeln!(text, "    {operation}")?;
        }
        Ok(())
    }
}

/// Judges every group of a history. `give_up` is called repeatedly. If `give_up` returns true
/// during the search of a group, this group is undecided.
pub fn check_groups(
    history: &[Operation],
    max_age: MaxAge,
    give_up: &mut dyn FnMut() -> bool,
) -> GroupsReport {
    let parts = divide(history);
    let mut report = GroupsReport {
        groups: parts.len(),
        calls: 0,
        broken: Vec::new(),
    };
    for (group, part) in parts {
        let model = GroupModel { max_age };
        let (positions, mut calls) = unknown::bounded(part.calls);
        arrivals::order(history, &positions, &mut calls);
        report.calls += calls.len();
        let explanation = match check(&model, &calls, give_up) {
            SearchVerdict::Ok => continue,
            SearchVerdict::Undecided => None,
            SearchVerdict::Illegal(explanation) => Some(in_history(explanation, &positions)),
        };
        report.broken.push(BrokenGroup { group, explanation });
    }
    report
}

/// Converts the positions of an explanation to positions in the history.
fn in_history(mut explanation: Explanation, positions: &[usize]) -> Explanation {
    for call in explanation
        .last_placed
        .iter_mut()
        .chain(&mut explanation.stuck)
    {
        *call = positions[*call];
    }
    explanation
}

/// The operations that concern one group.
#[derive(Default)]
struct Part {
    /// The number of each node.
    nodes: HashMap<Name, usize>,
    /// Each call with its position in the history.
    calls: Vec<(usize, Call<GroupOp>)>,
}

/// Divides a history into groups. Each group has its own nodes and calls.
fn divide(history: &[Operation]) -> BTreeMap<Group, Part> {
    let mut parts: BTreeMap<Group, Part> = BTreeMap::new();
    let mut groups_of: HashMap<&Name, BTreeSet<Group>> = HashMap::new();
    for operation in happened(history).map(|(_, operation)| operation) {
        if let Input::Announce {
            node, pool, types, ..
        } = &operation.input
        {
            for service_type in types {
                let group = (service_type.clone(), pool.clone());
                let nodes = &mut parts.entry(group.clone()).or_default().nodes;
                let number = nodes.len();
                nodes.entry(node.clone()).or_insert(number);
                groups_of.entry(node).or_default().insert(group);
            }
        }
    }
    for (position, operation) in happened(history) {
        match (&operation.input, &operation.outcome) {
            (
                Input::Lookup {
                    service_type: Some(service_type),
                    pool: Some(pool),
                },
                RequestOutcome::Found(services),
            ) => {
                let group = (service_type.clone(), pool.clone());
                parts
                    .entry(group.clone())
                    .or_default()
                    .look(position, operation, &group, services);
            }
            (input, _) => {
                for group in input
                    .node()
                    .and_then(|node| groups_of.get(node))
                    .into_iter()
                    .flatten()
                {
                    parts
                        .entry(group.clone())
                        .or_default()
                        .change(position, operation, group);
                }
            }
        }
    }
    parts
}

/// Returns the operations that may have had an effect, and the lookups.
fn happened(history: &[Operation]) -> impl Iterator<Item = (usize, &Operation)> {
    let operations = history.iter().enumerate();
    operations.filter(|(_, operation)| operation.outcome != RequestOutcome::Refused)
}

impl Part {
    /// Adds a change, as an announcement in this group or a withdrawal from it.
    fn change(
        &mut self,
        position: usize,
        operation: &Operation,
        (service_type, group_pool): &Group,
    ) {
        let node = operation.input.node();
        let Some(&node) = node.and_then(|node| self.nodes.get(node)) else {
            return;
        };
        let op = match &operation.input {
            Input::Announce {
                pool, types, token, ..
            } if pool == group_pool && types.contains(service_type) => GroupOp::Announce {
                node,
                token: *token,
                call_ns: operation.call_ns,
            },
            _ => GroupOp::Withdraw { node },
        };
        self.push(position, operation, op);
    }

    /// Adds a lookup of this group.
    fn look(
        &mut self,
        position: usize,
        operation: &Operation,
        group: &Group,
        services: &[RecordedService],
    ) {
        let op = GroupOp::Lookup {
            found: self.tokens(group, services),
            return_ns: operation.over_by_ns(),
        };
        self.push(position, operation, op);
    }

    /// Returns the token that a lookup shows for each node, or `None` if the result is not a
    /// possible state of the group.
    fn tokens(&self, group: &Group, services: &[RecordedService]) -> Option<Box<[(usize, u64)]>> {
        let mut tokens = Vec::with_capacity(services.len());
        for service in services {
            if service.service_type != group.0 || service.pool != group.1 {
                return None;
            }
            tokens.push((*self.nodes.get(&service.node)?, service.token));
        }
        tokens.sort_unstable();
        // A node may have several services of the type, all from one announcement.
        tokens.dedup();
        let is_twice = tokens.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (!is_twice).then(|| tokens.into())
    }

    fn push(&mut self, position: usize, operation: &Operation, op: GroupOp) {
        let call = Call {
            call_ns: operation.call_ns,
            return_ns: operation.over_by_ns(),
            is_optional: operation.outcome == RequestOutcome::Unknown,
            after: Vec::new(),
            op,
        };
        self.calls.push((position, call));
    }
}
