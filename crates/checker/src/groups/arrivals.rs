//! Promise e in the search: the order of two writes of one node.
//!
//! If write A arrived at a server before write B of the same node was called, and B was
//! acknowledged, A has no effect after B. In the order, A therefore comes before B, or is absent.
//!
//! The registry accepts A after B only if A changes nothing, because A is a renewal, or withdraws a
//! node that is absent. The search may place such an A right before B instead. If A is right before
//! B, no lookup comes between the two writes, so no answer depends on their order.

use crate::history::{Operation, RequestOutcome};
use crate::linearizable::Call;
use crate::model::GroupOp;
use std::collections::BTreeMap;

/// Adds to each acknowledged write the writes that it must follow ([`Call::after`]). `positions`
/// are the positions of the calls in the history.
pub fn order(history: &[Operation], positions: &[usize], calls: &mut [Call<GroupOp>]) {
    let acked = acked(history, positions, calls);
    let mut pairs = Vec::new();
    for (first, call) in calls.iter().enumerate() {
        let node = node_of(&call.op);
        let arrived_ns = history[positions[first]].arrived_ns;
        if let (Some(node), Some(arrived_ns)) = (node, arrived_ns)
            && let Some(of_node) = acked.get(&node)
        {
            let later = later_than(arrived_ns, call.return_ns, of_node, calls);
            pairs.extend(later.map(|second| (first, second)));
        }
    }
    for (first, second) in pairs {
        calls[second].after.push(first);
    }
}

fn node_of(op: &GroupOp) -> Option<usize> {
    match op {
        GroupOp::Announce { node, .. } | GroupOp::Withdraw { node } => Some(*node),
        GroupOp::Lookup { .. } => None,
    }
}

/// Returns the acknowledged writes of each node, sorted by the time of the call.
fn acked(
    history: &[Operation],
    positions: &[usize],
    calls: &[Call<GroupOp>],
) -> BTreeMap<usize, Vec<usize>> {
    let mut acked: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, call) in calls.iter().enumerate() {
        if let Some(node) = node_of(&call.op)
            && history[positions[at]].outcome == RequestOutcome::Acked
        {
            acked.entry(node).or_default().push(at);
        }
    }
    for of_node in acked.values_mut() {
        of_node.sort_by_key(|&at| calls[at].call_ns);
    }
    acked
}

/// Yields the acknowledged writes of a node that must follow a given write, because they were
/// called after the given write had arrived at `arrived_ns`. Omits a write that follows by real
/// time anyway, because it was called after the given write returned (at `return_ns`), or after a
/// yielded write returned.
fn later_than<'a>(
    arrived_ns: u64,
    return_ns: u64,
    of_node: &'a [usize],
    calls: &'a [Call<GroupOp>],
) -> impl Iterator<Item = usize> + 'a {
    let from = of_node.partition_point(|&at| calls[at].call_ns <= arrived_ns);
    let mut until_ns = return_ns;
    of_node[from..].iter().copied().take_while(move |&at| {
        let is_open = calls[at].call_ns <= until_ns;
        until_ns = until_ns.min(calls[at].return_ns);
        is_open
    })
}
