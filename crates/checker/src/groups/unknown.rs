//! Until when a change of unknown fate can matter.
//!
//! | a change of unknown fate | is |
//! |---|---|
//! | announces a token that no lookup after its call shows | left out |
//! | alone announces a token that is shown | surely done before the first lookup that shows it returned |
//! | announces a token that others announce too | done before the last lookup that shows it returned, or left out |
//! | withdraws a node | done before it was known to be gone for good, or left out |
//!
//! Why no verdict changes. Announcements: take an order that explains the history, with one in it that no lookup shows before
//! the node's next change. The lookups up to there saw it expired; without it they see what was there before, absent or held
//! since a time (`low`) that is no later, so they may see that expired too, and what comes after starts from a `low` no
//! later. So the order without it explains the history as well. Withdrawals: once a lookup that was called after the node's
//! last announcement was over has missed the node, it is absent for good, and a withdrawal does nothing.

use crate::linearizable::Call;
use crate::model::GroupOp;
use std::collections::{BTreeMap, HashMap};

/// When lookups that show something of a node returned.
#[derive(Debug, Clone, Copy)]
struct Shown {
    first_ns: u64,
    last_ns: u64,
}

/// The calls with their positions apart, those of unknown fate bounded or left out.
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

fn bound_announcement(call: &mut Call<GroupOp>, shown: Shown, is_alone: bool) -> Option<()> {
    if shown.last_ns < call.call_ns && !is_alone {
        return None;
    }
    if is_alone {
        // Shown before its call: there is no order, whatever stands here.
        call.is_optional = false;
        call.return_ns = shown.first_ns.max(call.call_ns);
    } else {
        call.return_ns = shown.last_ns;
    }
    Some(())
}

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

/// How many announcements of a token of a node there are.
fn announcers(calls: &[(usize, Call<GroupOp>)]) -> HashMap<(usize, u64), usize> {
    let mut announcers = HashMap::new();
    for (_, call) in calls {
        if let GroupOp::Announce { node, token, .. } = call.op {
            *announcers.entry((node, token)).or_default() += 1;
        }
    }
    announcers
}

/// For nodes with a withdrawal of unknown fate: when it was known that they are gone for good, if it ever was.
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
