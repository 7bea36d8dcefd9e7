//! Explains why a group does not serve, and which members are unreachable.

use super::error::{Outage, Unavailable};
use super::group::Group;

/// Returns the reason why a group does not serve.
pub(super) fn unavailable_reason(group: &Group) -> Outage {
    if let Err(full) = group.check_disk_space() {
        return full.into();
    }
    let voters = group.view().borrow().voters();
    let unreachable = unreachable_members(group);
    if voters == 0 {
        return Outage::NoLog;
    }
    match unreachable.is_empty() {
        true => Outage::NoLeader { voters },
        false => Outage::Unreachable {
            voters,
            unreachable,
        },
    }
}

/// Returns the voters that do not answer this node. A voter is listed with the reason if one is
/// known, for example that it refuses this node, or that its name does not resolve.
pub(super) fn unreachable_members(group: &Group) -> Vec<String> {
    let view = group.view().borrow().clone();
    let own = group.raft_id();
    view.members()
        .filter(|(id, _, voter)| *voter && *id != own && !group.peers.is_reachable(*id))
        .map(|(id, member, _)| {
            let unresolved = || Some(group.peers.resolve_error(member)?.to_string());
            match group.peers.state(id).rejection.or_else(unresolved) {
                Some(reason) => format!("{} ({reason})", member.node_id),
                None => member.node_id.clone(),
            }
        })
        .collect()
}

/// Returns the reason why a request failed. Appends the reason why the group does not serve, unless
/// the group serves with all voters reachable, or `reason` already contains it.
pub(super) fn explain(group: &Group, reason: Unavailable) -> Unavailable {
    let is_well = group.serves() && unreachable_members(group).is_empty();
    let outage = unavailable_reason(group);
    match is_well || reason.to_string().contains(&outage.to_string()) {
        true => reason,
        false => Unavailable::Explained {
            source: Box::new(reason),
            outage,
        },
    }
}
