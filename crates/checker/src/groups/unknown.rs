//! Bounds on the time at which a change with an unknown outcome can matter.
//!
//! | change with an unknown outcome | bound |
//! |---|---|
//! | announces a token that no lookup shows | omitted |
//! | is one of several announcements of a token that no lookup after its call shows | omitted |
//! | is the only announcement of a shown token | required, and over before `first` returned |
//! | is one of several announcements of a token | over before `last` returned, or without effect |
//! | withdraws a node | over before the node is known to be absent for good, or without effect |
//!
//! Among the lookups that show the token, `first` is the one that returns first, and `last` the one
//! that returns last. The only announcement of a shown token certainly happened.
//!
//! These bounds change no verdict:
//!
//! - Announcements: assume that an order explains the history. Let A be an announcement in this
//!   order that no lookup shows before the node's next change. The order without A also explains
//!   the history:
//!   - A lookup between A and the next change omits the node. With A, the lookup is legal because A
//!     may have expired. Without A, the node is absent or has an earlier announcement. The `low` of
//!     the earlier announcement (the lower bound of its acceptance, see [`crate::model`]) is no
//!     later than the `low` of A. The earlier announcement may therefore have expired too, and the
//!     lookup is still legal.
//!   - Without A, the `low` of the node's next announcement is no later than with A. An earlier
//!     `low` only makes more omissions legal.
//! - Withdrawals: if a lookup that was called after the end of the node's last announcement does
//!   not show the node, the node is absent for good. A later withdrawal has no effect.

use crate::linearizable::Call;
use crate::model::GroupOp;
use std::collections::{BTreeMap, HashMap};

/// The first and last return of the lookups that show a token of a node.
#[derive(Debug, Clone, Copy)]
struct Shown {
    first_ns: u64,
    last_ns: u64,
}

/// Bounds or omits the calls with an unknown outcome. Returns the positions of the remaining calls,
/// and these calls.
pub fn bounded(calls: Vec<(usize, Call<GroupOp>)>) -> (Vec<usize>, Vec<Call<GroupOp>>) {
    let shown = shown(&calls);
    let announcers = announcers(&calls);
    let announced: Vec<(usize, Call<GroupOp>)> = calls
        .into_iter()
        .filter_map(|(position, mut call)| {
            if let GroupOp::Announce { node, token, .. } = call.op
                && call.is_optional
            {
                let shown = shown.get(&(node, token))?;
                let is_alone = announcers.get(&(node, token)) == Some(&1);
                bound_announcement(&mut call, *shown, is_alone)?;
            }
            Some((position, call))
        })
        .collect();
    let gone_by_ns = gone_by_ns(&announced);
    announced
        .into_iter()
        .map(|(position, mut call)| {
            if let GroupOp::Withdraw { node } = call.op
                && call.is_optional
                && let Some(gone_by_ns) = gone_by_ns.get(&node)
            {
                call.return_ns = call.call_ns.max(*gone_by_ns);
            }
            (position, call)
        })
        .unzip()
}

/// Bounds an announcement with an unknown outcome. Returns `None` if it can be omitted.
fn bound_announcement(call: &mut Call<GroupOp>, shown: Shown, is_alone: bool) -> Option<()> {
    if shown.last_ns < call.call_ns && !is_alone {
        return None;
    }
    if is_alone {
        // If a lookup shows the token before this call, no order explains the history, whatever the
        // bound is.
        call.is_optional = false;
        call.return_ns = shown.first_ns.max(call.call_ns);
    } else {
        call.return_ns = shown.last_ns;
    }
    Some(())
}

/// Returns the first and last return of the lookups that show each token of each node.
fn shown(calls: &[(usize, Call<GroupOp>)]) -> HashMap<(usize, u64), Shown> {
    let mut shown: HashMap<(usize, u64), Shown> = HashMap::new();
    for (_, call) in calls {
        if let GroupOp::Lookup { found, return_ns } = &call.op {
            for key in found.iter().flat_map(|found| found.iter()) {
                let entry = shown.entry(*key).or_insert(Shown {
                    first_ns: *return_ns,
                    last_ns: *return_ns,
                });
                entry.first_ns = entry.first_ns.min(*return_ns);
                entry.last_ns = entry.last_ns.max(*return_ns);
            }
        }
    }
    shown
}

/// Returns the number of announcements of each token of each node.
fn announcers(calls: &[(usize, Call<GroupOp>)]) -> HashMap<(usize, u64), usize> {
    let mut announcers = HashMap::new();
    for (_, call) in calls {
        if let GroupOp::Announce { node, token, .. } = call.op {
            *announcers.entry((node, token)).or_default() += 1;
        }
    }
    announcers
}

/// Returns, for each node, the time by which the node was known to be absent for good. Includes
/// only nodes with a withdrawal of unknown outcome, and only if the absence became known.
fn gone_by_ns(calls: &[(usize, Call<GroupOp>)]) -> BTreeMap<usize, u64> {
    let mut over_ns: BTreeMap<usize, u64> = BTreeMap::new();
    for (_, call) in calls {
        if let GroupOp::Withdraw { node } = call.op
            && call.is_optional
        {
            over_ns.insert(node, 0);
        }
    }
    for (_, call) in calls {
        if let GroupOp::Announce { node, .. } = call.op
            && let Some(over_ns) = over_ns.get_mut(&node)
        {
            *over_ns = call.return_ns.max(*over_ns);
        }
    }
    let mut gone_by_ns: BTreeMap<usize, u64> = BTreeMap::new();
    let mut lookups: Vec<&Call<GroupOp>> = calls.iter().map(|(_, call)| call).collect();
    lookups.sort_by_key(|call| call.return_ns);
    for call in lookups {
        let GroupOp::Lookup {
            found: Some(_),
            return_ns,
        } = &call.op
        else {
            continue;
        };
        over_ns.retain(|node, over_ns| {
            let is_gone = !call.op.shows(*node) && call.call_ns > *over_ns;
            if is_gone {
                gone_by_ns.insert(*node, *return_ns);
            }
            !is_gone
        });
    }
    gone_by_ns
}
