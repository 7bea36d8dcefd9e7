//! The decision of a node without a group about its next step, given its peers' answers.
//!
//! The decision is a pure function. Only the node with the smallest `node.id` founds a group, so
//! two nodes cannot found two groups (docs/decisions/0001).

use super::error::ProbeError;
use crate::model::{Inventory, InventoryEntry};
use crate::raft::transport::GroupInfo;
use crate::raft::transport::identity::NodeIdentity;

/// The next step of a node without a group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Form the group of these founding pairs, which include this node's own pair. A pair is a
    /// `node.id` with its incarnation, and is listed with the address of the node.
    Form(Vec<(NodeIdentity, String)>),
    /// Ask these members to let this node join their group.
    Join(Vec<String>),
    /// Wait, for this reason.
    Wait(String),
}

/// Decides the next step of a node without a group.
///
/// - If a peer reports a group whose founding pairs include this node's `node.id` and incarnation,
///   the node adopts that group.
/// - If the peers are in another group, the node asks to join that group. It does not vote there
///   before it has joined, because an emptied disk must not vote.
/// - Only the node with the smallest `node.id` founds a group. It does so only when every peer has
///   answered, is in no group, and has the same inventory.
pub(crate) fn decide(
    own: &NodeIdentity,
    own_address: &str,
    inventory: &Inventory,
    answers: &[(InventoryEntry, Result<GroupInfo, ProbeError>)],
) -> Decision {
    let views = || {
        answers
            .iter()
            .filter_map(|(entry, view)| view.as_ref().ok().map(|view| (entry, view)))
    };
    for (_, view) in views() {
        if let Some(founders) = &view.founders
            && founders.iter().any(|(name, _)| name == own)
        {
            return Decision::Form(founders.clone());
        }
    }
    let of_a_group: Vec<String> = views()
        .filter(|(_, view)| view.founders.is_some())
        .map(|(entry, _)| entry.address.clone())
        .collect();
    if !of_a_group.is_empty() {
        return Decision::Join(of_a_group);
    }
    if let Some(reason) = blocking_reason(inventory, answers) {
        return Decision::Wait(reason);
    }
    let smallest = inventory
        .entries
        .iter()
        .map(|entry| entry.node_id.as_str())
        .min();
    if smallest != Some(own.node_id.as_str()) {
        return Decision::Wait(format!(
            "{} has not formed the group yet",
            smallest.unwrap_or("nobody")
        ));
    }
    let mut pairs: Vec<(NodeIdentity, String)> = views()
        .map(|(entry, view)| (view.name.clone(), entry.address.clone()))
        .collect();
    pairs.push((own.clone(), own_address.to_owned()));
    pairs.sort();
    Decision::Form(pairs)
}

/// Returns the reason that keeps the nodes of an inventory from forming their group.
fn blocking_reason(
    inventory: &Inventory,
    answers: &[(InventoryEntry, Result<GroupInfo, ProbeError>)],
) -> Option<String> {
    let silent: Vec<String> = answers
        .iter()
        .filter_map(|(entry, view)| {
            view.as_ref()
                .err()
                .map(|why| format!("{} ({why})", entry.node_id))
        })
        .collect();
    if !silent.is_empty() {
        return Some(format!(
            "the first start needs every node in the inventory: no answer from {}. Start the \
             missing nodes, or remove them from every node's inventory",
            silent.join(", ")
        ));
    }
    for (entry, view) in answers {
        let Ok(view) = view else { continue };
        if view.name.node_id != entry.node_id {
            return Some(format!(
                "the inventory lists {} at {}, but {} answers there",
                entry.node_id, entry.address, view.name.node_id
            ));
        }
        if view.inventory_digest != Some(inventory.digest()) {
            return Some(format!(
                "{} has a different inventory: the group forms once every node has the same one",
                entry.node_id
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN_ADDRESS: &str = "http://127.0.0.1:1";

    fn name(node_id: &str, incarnation: u64) -> NodeIdentity {
        NodeIdentity {
            node_id: node_id.to_owned(),
            incarnation,
        }
    }

    fn inventory() -> Inventory {
        let entry = |id: &str, port: u16| {
            format!(
                r#"{{"id": "{id}", "nodeId": "{id}", "type": "discovery", "pool": "general",
                    "location": "/{id}", "state": "RUNNING",
                    "properties": {{"http": "http://127.0.0.1:{port}"}}}}"#
            )
        };
        let json = format!(
            r#"{{"environment": "test", "services": [{}, {}, {}]}}"#,
            entry("a", 1),
            entry("b", 2),
            entry("c", 3)
        );
        Inventory::parse(json.as_bytes(), "inventory").expect("a good inventory")
    }

    fn none(node_id: &str) -> GroupInfo {
        GroupInfo {
            name: name(node_id, 1),
            environment: "test".to_owned(),
            inventory_digest: Some(inventory().digest()),
            founders: None,
        }
    }

    fn of_group(node_id: &str, founders: &[NodeIdentity]) -> GroupInfo {
        let founders = founders
            .iter()
            .map(|name| (name.clone(), format!("http://{}", name.node_id)))
            .collect();
        GroupInfo {
            founders: Some(founders),
            ..none(node_id)
        }
    }

    fn decide_as(own: &str, answers: Vec<Result<GroupInfo, ProbeError>>) -> Decision {
        let inventory = inventory();
        let others = inventory
            .entries
            .iter()
            .filter(|entry| entry.node_id != own)
            .cloned();
        let answers: Vec<_> = others.zip(answers).collect();
        decide(&name(own, 1), OWN_ADDRESS, &inventory, &answers)
    }

    /// Only the smallest node id founds, and only when all peers have answered that they have no
    /// group.
    #[test]
    fn the_smallest_founds_when_all_are_free() {
        let Decision::Form(pairs) = decide_as("a", vec![Ok(none("b")), Ok(none("c"))]) else {
            panic!("the smallest must found");
        };
        let names: Vec<_> = pairs
            .iter()
            .map(|(name, _)| name.node_id.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(matches!(
            decide_as("b", vec![Ok(none("a")), Ok(none("c"))]),
            Decision::Wait(_)
        ));
    }

    /// A silent peer may know a group, so no node founds one without the answer of that peer. The
    /// reason names the peer.
    #[test]
    fn nobody_founds_past_a_silent_peer() {
        let silent = Err(ProbeError::Unexpected);
        let Decision::Wait(reason) = decide_as("a", vec![Ok(none("b")), silent]) else {
            panic!("it must wait");
        };
        let expected = "no answer from c (sent an unexpected answer)";
        assert!(reason.contains(expected), "{reason}");
    }

    /// A node adopts the group that lists it as a founder, regardless of which peer reports the
    /// group.
    #[test]
    fn a_founder_takes_its_group_over() {
        let founders = [name("a", 1), name("b", 1), name("c", 1)];
        let decision = decide_as("b", vec![Ok(of_group("a", &founders)), Ok(none("c"))]);
        assert!(matches!(decision, Decision::Form(pairs) if pairs.len() == 3));
    }

    /// An emptied node is not a member of its old group, so it asks to join and does not vote.
    #[test]
    fn an_emptied_node_asks_to_join() {
        let founders = [name("a", 1), name("b", 9), name("c", 1)];
        let decision = decide_as(
            "b",
            vec![Ok(of_group("a", &founders)), Err(ProbeError::Unexpected)],
        );
        assert_eq!(
            decision,
            Decision::Join(vec!["http://127.0.0.1:1".to_owned()])
        );
    }

    /// A different inventory or a wrong address prevents the founding, and the reason to wait names
    /// the cause.
    #[test]
    fn a_different_inventory_or_a_wrong_address_stops_the_founding() {
        let other = GroupInfo {
            inventory_digest: Some(1),
            ..none("c")
        };
        let Decision::Wait(reason) = decide_as("a", vec![Ok(none("b")), Ok(other)]) else {
            panic!("it must wait")
        };
        assert!(reason.contains("c has a different inventory"), "{reason}");
        let Decision::Wait(reason) = decide_as("a", vec![Ok(none("b")), Ok(none("d"))]) else {
            panic!("it must wait")
        };
        assert!(reason.contains("but d answers there"), "{reason}");
    }
}
