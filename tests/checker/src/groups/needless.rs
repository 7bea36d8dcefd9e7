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

/// The calls without those that explain nothing, the others from when they may.
pub fn needed(
    calls: Vec<(usize, Call<GroupOp>)>,
    shown: &HashMap<(usize, u64), Shown>,
    max_age: MaxAge,
) -> Vec<(usize, Call<GroupOp>)> {
    let all: Vec<Call<GroupOp>> = calls.iter().map(|(_, call)| call.clone()).collect();
    calls
        .into_iter()
        .filter_map(|(position, mut call)| {
            match call.op {
                GroupOp::Announce { node, token, .. } if call.is_optional => {
                    let shown = shown.get(&(node, token))?;
                    if is_held_all_the_while(&all, &call, (node, token), shown.last_ns, max_age) {
                        return None;
                    }
                }
                GroupOp::Withdraw { node } if call.is_optional && is_last(&all, &call, node) => {
                    call.call_ns = last_shown_ns(&all, node).max(call.call_ns);
                    if !is_missed(&all, node, call.call_ns) || call.call_ns > call.return_ns {
                        return None;
                    }
                }
                _ => {}
            }
            Some((position, call))
        })
        .collect()
}

fn is_held_all_the_while(
    calls: &[Call<GroupOp>],
    renewal: &Call<GroupOp>,
    (node, token): (usize, u64),
    last_shown_ns: u64,
    max_age: MaxAge,
) -> bool {
    let before = calls
        .iter()
        .filter(|call| !call.is_optional && call.return_ns < renewal.call_ns)
        .filter(|call| announces(call, node) == Some(token))
        .map(|call| call.call_ns)
        .max();
    let Some(held_from_ns) = before else {
        return false;
    };
    let goes_from_ns = held_from_ns.saturating_add(max_age.least_life_ns());
    !calls.iter().any(|call| match &call.op {
        GroupOp::Announce { .. } => {
            announces(call, node).is_some_and(|other| other != token)
                && call.return_ns >= held_from_ns
        }
        GroupOp::Withdraw { node: other } => *other == node && call.return_ns >= held_from_ns,
        GroupOp::Lookup { found, .. } => {
            call.call_ns <= last_shown_ns
                && call.return_ns >= goes_from_ns
                && !shows(found.as_deref(), node)
        }
    })
}

/// Whether nobody announces the node after this.
fn is_last(calls: &[Call<GroupOp>], withdrawal: &Call<GroupOp>, node: usize) -> bool {
    let is_later = |call: &Call<GroupOp>| {
        announces(call, node).is_some() && call.return_ns >= withdrawal.call_ns
    };
    !calls.iter().any(is_later)
}

/// When the last lookup that shows a node was called; 0 if none does.
fn last_shown_ns(calls: &[Call<GroupOp>], node: usize) -> u64 {
    let showing = calls.iter().filter(|call| match &call.op {
        GroupOp::Lookup { found, .. } => shows(found.as_deref(), node),
        _ => false,
    });
    showing.map(|call| call.call_ns).max().unwrap_or_default()
}

/// Whether a lookup that may come after this time misses a node.
fn is_missed(calls: &[Call<GroupOp>], node: usize, from_ns: u64) -> bool {
    calls.iter().any(|call| match &call.op {
        GroupOp::Lookup { found, .. } => {
            call.return_ns >= from_ns && !shows(found.as_deref(), node)
        }
        _ => false,
    })
}

fn announces(call: &Call<GroupOp>, of: usize) -> Option<u64> {
    match call.op {
        GroupOp::Announce { node, token, .. } if node == of => Some(token),
        _ => None,
    }
}

fn shows(found: Option<&[(usize, u64)]>, node: usize) -> bool {
    found.is_some_and(|found| {
        found
            .binary_search_by_key(&node, |(other, _)| *other)
            .is_ok()
    })
}
