//! The first layer: every (type, pool) of a history against [`GroupModel`], with no trust in the server.
//!
//! A history is cut into groups, and each is judged alone. If every node announces one type in one pool and every lookup
//! names both, each operation touches one object, and by the theorem of Herlihy and Wing the whole is linearizable exactly
//! when each group is. What touches more is taken part by part, which raises no false alarm but may miss a mixture over
//! groups: an announcement of several types counts in each of them, one that no longer names a type is a withdrawal from it, and
//! lookups that do not name type and pool are left to the second layer ([`crate::certificate`]).
//!
//! A change of unknown fate may take effect at any time after its call, with two exceptions that change no verdict:
//! - An announcement whose token no lookup shows is left out. Placed last it breaks nothing; and if it was placed elsewhere,
//!   the lookups after it saw it expired, and may see the one before it expired too, whose `low` is no later.
//! - One whose token a lookup shows took effect before that lookup returned, if nobody else announced that token.
//!
//! A withdrawal of unknown fate is never left out: it explains an absence.

use crate::MaxAge;
use crate::history::{Input, Name, Operation, Outcome, Service};
use crate::linearizable::{Call, Explanation, Verdict, check};
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
        let model = GroupModel {
            nodes: part.nodes.len(),
            max_age,
        };
        let (positions, calls) = part.into_calls();
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
    nodes: HashMap<Name, usize>,
    /// Each with its position in the history.
    calls: Vec<(usize, Call<GroupOp>)>,
    /// When the first lookup that shows a token of a node returned.
    shown_by_ns: HashMap<(usize, u64), u64>,
    /// How many announcements of a token of a node there are.
    announced: HashMap<(usize, u64), usize>,
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
        let Some(&node) = operation.input.node().and_then(|node| self.nodes.get(node)) else {
            return;
        };
        let op = match &operation.input {
            Input::Announce {
                pool, types, token, ..
            } if pool == group_pool && types.contains(service_type) => {
                *self.announced.entry((node, *token)).or_default() += 1;
                GroupOp::Announce {
                    node,
                    token: *token,
                    call_ns: operation.call_ns,
                }
            }
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
        let return_ns = operation.over_by_ns();
        let found = self.tokens(group, services);
        for (node, token) in found.iter().flatten().enumerate() {
            if let Some(token) = token {
                let by_ns = self.shown_by_ns.entry((node, *token)).or_insert(return_ns);
                *by_ns = return_ns.min(*by_ns);
            }
        }
        self.push(position, operation, GroupOp::Lookup { found, return_ns });
    }

    /// What a lookup shows of each node; none if no state of the group looks like that.
    fn tokens(&self, group: &Group, services: &[Service]) -> Option<Box<[Option<u64>]>> {
        let mut tokens = vec![None; self.nodes.len()].into_boxed_slice();
        for service in services {
            let slot = tokens.get_mut(*self.nodes.get(&service.node)?)?;
            let is_of_group = service.service_type == group.0 && service.pool == group.1;
            // A node may have several services of the type, all of one announcement.
            if !is_of_group || slot.is_some_and(|token| token != service.token) {
                return None;
            }
            *slot = Some(service.token);
        }
        Some(tokens)
    }

    fn push(&mut self, position: usize, operation: &Operation, op: GroupOp) {
        let call = Call {
            call_ns: operation.call_ns,
            return_ns: operation.over_by_ns(),
            op,
        };
        self.calls.push((position, call));
    }

    /// The calls with the positions of their operations, those of unknown fate left out or cut as the module says.
    fn into_calls(self) -> (Vec<usize>, Vec<Call<GroupOp>>) {
        let (shown_by_ns, announced) = (self.shown_by_ns, self.announced);
        self.calls
            .into_iter()
            .filter_map(|(position, mut call)| {
                if let GroupOp::Announce { node, token, .. } = call.op
                    && call.return_ns == u64::MAX
                {
                    let shown_by_ns = *shown_by_ns.get(&(node, token))?;
                    let is_alone = announced.get(&(node, token)) == Some(&1);
                    if is_alone && shown_by_ns >= call.call_ns {
                        call.return_ns = shown_by_ns;
                    }
                }
                Some((position, call))
            })
            .unzip()
    }
}
