//! The first layer: every (type, pool) of a history against [`GroupModel`], with no trust in the server.
//!
//! A history is cut into groups, and each is judged alone. If every node announces one type in one pool and every lookup
//! names both, each operation touches one object, and by the theorem of Herlihy and Wing the whole is linearizable exactly
//! when each group is. What touches more is taken part by part, which raises no false alarm but may miss a mixture over
//! groups: an announcement of several types counts in each of them, one that no longer names a type is a withdrawal from it, and
//! lookups that do not name type and pool are left to the second layer ([`crate::certificate`]).
//!
//! A write that had arrived at a node when another one of the same node id was called comes before
//! that one in the order, if that one was acknowledged (`groups/arrivals.rs`).
//!
//! A change of unknown fate may take effect at any time after its call, or never. That is the whole rule, and costs most when a
//! history is broken; what changes no verdict and makes it cheap is in `groups/unknown.rs`, and in the search itself.

mod arrivals;
mod unknown;

use crate::history::{Input, Name, Operation, Outcome, Service};
use crate::linearizable::{Call, Explanation, Verdict, check};
use crate::max_age::MaxAge;
use crate::model::{GroupModel, GroupOp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write};

/// A type and a pool.
pub type Group = (Name, Name);

/// What came of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupsReport {
    /// How many groups there are.
    pub groups: usize,
    /// How many operations were placed, over all of them.
    pub calls: usize,
    /// What is wrong with groups that are not linearizable or undecided; nothing if all is well.
    pub broken: Vec<BrokenGroup>,
}

/// A group without an order that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenGroup {
    /// Which.
    pub group: Group,
    /// How far the search came, with positions in the history; none if it gave up.
    pub explanation: Option<Explanation>,
}

impl GroupsReport {
    /// Whether every group has an order that explains it.
    #[must_use]
    pub fn is_linearizable(&self) -> bool {
        self.broken.is_empty()
    }

    /// What is wrong, with the operations in question.
    #[must_use]
    pub fn explain(&self, history: &[Operation]) -> String {
        let mut text = String::new();
        for broken in &self.broken {
            // A String takes everything.
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

/// Judges every group of a history. `give_up` is asked now and then; once it says so, what is left is undecided.
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
            Verdict::Ok => continue,
            Verdict::Undecided => None,
            Verdict::Illegal(explanation) => Some(in_history(explanation, &positions)),
        };
        report.broken.push(BrokenGroup { group, explanation });
    }
    report
}

/// An explanation that speaks of positions in the history.
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

/// What touches one group.
#[derive(Default)]
struct Part {
    /// Their numbers.
    nodes: HashMap<Name, usize>,
    /// Each with its position in the history.
    calls: Vec<(usize, Call<GroupOp>)>,
}

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
                Outcome::Found(services),
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

/// What may have had an effect or shows one.
fn happened(history: &[Operation]) -> impl Iterator<Item = (usize, &Operation)> {
    let operations = history.iter().enumerate();
    operations.filter(|(_, operation)| operation.outcome != Outcome::Refused)
}

impl Part {
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

    fn look(
        &mut self,
        position: usize,
        operation: &Operation,
        group: &Group,
        services: &[Service],
    ) {
        let op = GroupOp::Lookup {
            found: self.tokens(group, services),
            return_ns: operation.over_by_ns(),
        };
        self.push(position, operation, op);
    }

    /// What a lookup shows of each node; none if no state of the group looks like that.
    fn tokens(&self, group: &Group, services: &[Service]) -> Option<Box<[(usize, u64)]>> {
        let mut tokens = Vec::with_capacity(services.len());
        for service in services {
            if service.service_type != group.0 || service.pool != group.1 {
                return None;
            }
            tokens.push((*self.nodes.get(&service.node)?, service.token));
        }
        tokens.sort_unstable();
        // A node may have several services of the type, all of one announcement.
        tokens.dedup();
        let is_twice = tokens.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (!is_twice).then(|| tokens.into())
    }

    fn push(&mut self, position: usize, operation: &Operation, op: GroupOp) {
        let call = Call {
            call_ns: operation.call_ns,
            return_ns: operation.over_by_ns(),
            is_optional: operation.outcome == Outcome::Unknown,
            after: Vec::new(),
            op,
        };
        self.calls.push((position, call));
    }
}
