//! Handling of requests to join the group.

use crate::raft::group::Group;
use crate::raft::group::view::RaftView;
use crate::raft::transport::{
    Channel, JoinRequest, JoinResponse, Request, Response, message_checks,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// Maximum time to wait for the leader's answer to a forwarded request.
const LEADER_TIMEOUT: Duration = Duration::from_millis(500);

/// Handles a join request on the leader, or forwards it to the leader.
pub(crate) async fn handle_join(group: &Group, request: JoinRequest) -> JoinResponse {
    if let Err(invalid) = message_checks::join_request(&request, &group.options.environment) {
        return JoinResponse::Refused(invalid.to_string());
    }
    let view = group.view().borrow().clone();
    match &view.leader {
        None => JoinResponse::Refused("the group has no leader now".to_owned()),
        Some(leader) if leader.id == group.raft_id() => check_join(group, &view, request),
        Some(leader) => {
            let request = Request::Join(request);
            match group
                .ask_leader(leader, Channel::Control, request, LEADER_TIMEOUT)
                .await
            {
                Ok(Response::Join(answer)) => answer,
                Ok(_) => JoinResponse::Refused("the leader sent an unexpected answer".to_owned()),
                Err(error) => {
                    JoinResponse::Refused(format!("the request to the leader failed: {error}"))
                }
            }
        }
    }
}

/// Checks a join request on the leader, and records it if the node may replace a member.
fn check_join(group: &Group, view: &RaftView, request: JoinRequest) -> JoinResponse {
    let id = request.name.raft_id();
    let cluster_id = group.peers.cluster_id();
    let founders = group.founders().to_vec();
    if view.is_voter(id) {
        return JoinResponse::Voter {
            cluster_id,
            founders,
        };
    }
    let node_id = &request.name.node_id;
    if group.replica.registry().is_retired(id) {
        return JoinResponse::Refused(format!(
            "{} was replaced by a newer incarnation",
            request.name
        ));
    }
    let Some(address) = inventory_address(group, view, node_id) else {
        return JoinResponse::Refused(format!(
            "the group has no member {node_id}; its members are {}. To add a node, add it to every \
             node's inventory and form the group again, as described under \"A majority is lost\" \
             in docs/OPERATIONS.md. A node that replaces a member needs that member's node.id",
            member_names(view)
        ));
    };
    if !group.options.auto_rejoin {
        return JoinResponse::Refused(format!(
            "cluster.auto-rejoin is false on {}: an emptied node does not rejoin by itself. Set it \
             to true there and restart that node, or reattach the emptied node's old disk",
            group.options.node_id
        ));
    }
    match group.join_requests.add(request.name, address) {
        Some(reason) => JoinResponse::Refused(reason),
        None => JoinResponse::Pending {
            cluster_id,
            founders,
        },
    }
}

/// Returns the address of a node of the group, or `None` if the group has no such node. The address
/// comes from this node's inventory, or from the log if the inventory does not list the node. The
/// address in the join request is not used. A node may know itself by another name, and anyone can
/// claim an address.
fn inventory_address(group: &Group, view: &RaftView, node_id: &str) -> Option<String> {
    let mut members = view.members();
    let (_, member, _) = members.find(|(_, member, _)| member.node_id == *node_id)?;
    let address = group.peers.inventory_address(node_id);
    Some(address.unwrap_or(&member.address).to_owned())
}

fn member_names(view: &RaftView) -> String {
    let names: BTreeSet<&str> = view
        .members()
        .map(|(_, member, _)| member.node_id.as_str())
        .collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}
