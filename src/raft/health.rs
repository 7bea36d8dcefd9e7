//! Explains why a group does not serve, and which members are unreachable.

use super::group::Group;

/// Returns the reason why a group does not serve, and the remedy, in one line for every 503, the
/// server log and the status. The remedy is included because some groups need an operator who knows
/// what to do. Examples are a group of two, and a group that lost the disks of a majority.
pub(super) fn unavailable_reason(group: &Group) -> String {
    if let Err(full) = group.may_propose() {
        return format!("{full}: it accepts no log entries until there is space");
    }
    let voters = group.view().borrow().voters();
    let missing = unreachable_members(group);
    if voters == 0 {
        return "this node has not received the log of its group yet".to_owned();
    }
    if missing.is_empty() {
        return format!("a majority of the {voters} voters must elect a leader and respond");
    }
    format!(
        "a majority of the {voters} voters is needed; unreachable: {}. If the disks of a majority \
         are lost for good, see \"A majority is lost\" in docs/OPERATIONS.md",
        missing.join(", ")
    )
}

/// Returns the voters that do not answer this node, each with the reason if one is known: the voter
/// refuses this node, or its name does not resolve.
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

/// Returns the reason why a request failed, followed by the reason why the group does not serve, if
/// it does not.
pub(super) fn explain(group: &Group, reason: String) -> String {
    let is_well = group.serves() && unreachable_members(group).is_empty();
    let cause = unavailable_reason(group);
    match is_well || reason.contains(&cause) {
        true => reason,
        false => format!("{reason}; {cause}"),
    }
}
