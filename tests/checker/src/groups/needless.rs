//! Changes of unknown fate that explain nothing, or nothing before some time.
//!
//! They change no verdict. Left in, each would stay open for as long as its node is shown, which is to the end of a history in which
//! nothing expires, and the search would go through all combinations of those that are open at once.
//!
//! | a change of unknown fate | is |
//! |---|---|
//! | renews what is surely held all the while | left out |
//! | withdraws a node that nobody announces after it | not done before the last lookup that shows the node was called; left out if none misses the node after that |
//!
//! A renewal is needed only to bring back what had gone. Between the announcement before it and the last lookup that shows its token
//! the node can go in three ways: by another token, by a withdrawal, or by a lookup that misses it, max-age after that
//! announcement's call at the earliest. Where no call could be one of these the node is held before the renewal as after it, but since
//! a time that is no later, which allows more.

use super::unknown::Shown;
use crate::MaxAge;
use crate::linearizable::Call;
use crate::model::GroupOp;
use std::collections::HashMap;

/// A call with its position in the history.
type Placed = (usize, Call<GroupOp>);

/// The calls without those that explain nothing, the others from when they may.
pub fn needed(
    calls: Vec<Placed>,
    shown: &HashMap<(usize, u64), Shown>,
    max_age: MaxAge,
) -> Vec<Placed> {
    let from_ns: Vec<Option<u64>> = calls
        .iter()
        .map(|(_, call)| needed_from_ns(&calls, call, shown, max_age))
        .collect();
    calls
        .into_iter()
        .zip(from_ns)
        .filter_map(|((position, call), from_ns)| {
            let call_ns = from_ns?;
            Some((position, Call { call_ns, ..call }))
        })
        .collect()
}

/// From when on a call may explain something; none if it never does.
fn needed_from_ns(
    calls: &[Placed],
    call: &Call<GroupOp>,
    shown: &HashMap<(usize, u64), Shown>,
    max_age: MaxAge,
) -> Option<u64> {
    match call.op {
        GroupOp::Announce { node, token, .. } if call.is_optional => {
            let last_shown_ns = shown.get(&(node, token))?.last_ns;
            let of = (node, token);
            (!is_held_all_the_while(calls, call, of, last_shown_ns, max_age))
                .then_some(call.call_ns)
        }
        GroupOp::Withdraw { node } if call.is_optional && is_last(calls, call, node) => {
            let from_ns = last_shown_ns(calls, node).max(call.call_ns);
            let explains = is_missed(calls, node, from_ns) && from_ns <= call.return_ns;
            explains.then_some(from_ns)
        }
        _ => Some(call.call_ns),
    }
}

fn is_held_all_the_while(
    calls: &[Placed],
    renewal: &Call<GroupOp>,
    (node, token): (usize, u64),
    last_shown_ns: u64,
    max_age: MaxAge,
) -> bool {
    let before = calls
        .iter()
        .map(|(_, call)| call)
        .filter(|call| !call.is_optional && call.return_ns < renewal.call_ns)
        .filter(|call| announces(call, node) == Some(token))
        .map(|call| call.call_ns)
        .max();
    let Some(held_from_ns) = before else {
        return false;
    };
    let goes_from_ns = held_from_ns.saturating_add(max_age.least_life_ns());
    let is_in_between = |call: &Call<GroupOp>, from_ns: u64| {
        call.call_ns <= last_shown_ns && call.return_ns >= from_ns
    };
    !calls.iter().any(|(_, call)| match &call.op {
        GroupOp::Announce { .. } => {
            announces(call, node).is_some_and(|other| other != token)
                && is_in_between(call, held_from_ns)
        }
        GroupOp::Withdraw { node: other } => *other == node && is_in_between(call, held_from_ns),
        GroupOp::Lookup { .. } => is_in_between(call, goes_from_ns) && !call.op.shows(node),
    })
}

/// Whether nobody announces the node after this.
fn is_last(calls: &[Placed], withdrawal: &Call<GroupOp>, node: usize) -> bool {
    !calls
        .iter()
        .any(|(_, call)| announces(call, node).is_some() && call.return_ns >= withdrawal.call_ns)
}

/// When the last lookup that shows a node was called; 0 if none does.
fn last_shown_ns(calls: &[Placed], node: usize) -> u64 {
    let showing = calls.iter().filter(|(_, call)| call.op.shows(node));
    showing
        .map(|(_, call)| call.call_ns)
        .max()
        .unwrap_or_default()
}

/// Whether a lookup that may come after this time misses a node.
fn is_missed(calls: &[Placed], node: usize, from_ns: u64) -> bool {
    calls.iter().any(|(_, call)| {
        matches!(call.op, GroupOp::Lookup { .. })
            && call.return_ns >= from_ns
            && !call.op.shows(node)
    })
}

fn announces(call: &Call<GroupOp>, of: usize) -> Option<u64> {
    match call.op {
        GroupOp::Announce { node, token, .. } if node == of => Some(token),
        _ => None,
    }
}
