//! The first steps of a node in its group.
//!
//! Founders initialize the group. Nodes that join later ask until they are voters.

use super::group_discovery::Bootstrap;
use crate::raft::group::Group;
use crate::raft::log_target;
use crate::raft::transport::identity::NodeIdentity;
use crate::storage::GroupIdentity;
use crate::storage::types::{Member, RaftId};
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{InitializeError, RaftError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Maximum time that the first founder waits for the other founders to adopt the founding pairs
/// (`Decision::Form`). The other founders need one round of queries to adopt the pairs. An earlier
/// election would fail and cost an election timeout.
const FOUNDERS_WAIT: Duration = Duration::from_millis(600);
/// Maximum time that the other founders wait for the first founder to lead, so that votes do not
/// split. After this time they initialize the group without the first founder.
const OTHERS_WAIT: Duration = Duration::from_millis(2_000);
/// Time between two checks that a founder makes while it waits for another founder.
const CHECK_INTERVAL: Duration = Duration::from_millis(25);
/// Time between two join requests of a node that joins later.
const JOIN_INTERVAL: Duration = Duration::from_millis(300);
/// Time between two checks by which a founder detects that its founding has failed ([`orphaned`]).
const ORPHANED_INTERVAL: Duration = Duration::from_secs(2);

/// Starts the task that makes this node a voter. A founder initializes the group, and a node that
/// joins late asks the group to make it a voter.
pub(crate) fn spawn_tasks(group: Arc<Group>, bootstrap: Arc<Bootstrap>, joined_late: bool) {
    tokio::spawn(async move {
        let settled = async {
            match joined_late {
                true => request_join_until_voter(&group, &bootstrap).await,
                false => initialize(&group, &bootstrap).await,
            }
        };
        tokio::select! {
            () = settled => {}
            // openraft has shut down, and would log an error for each request made to it.
            () = group.stopping() => {}
        }
    });
}

/// Initializes the group as one of its founders, after a wait that lets the first founder lead.
async fn initialize(group: &Group, bootstrap: &Bootstrap) {
    if is_initialized(group).await {
        return;
    }
    let founders = group.founders();
    let own = bootstrap.local_member().name.clone();
    let first = founders.iter().map(|(name, _)| name).min();
    let waited = async {
        match first == Some(&own) {
            true => wait_until_adopted(bootstrap, founders).await,
            false => {
                while !is_initialized(group).await {
                    tokio::time::sleep(CHECK_INTERVAL).await
                }
            }
        }
    };
    let limit = if first == Some(&own) {
        FOUNDERS_WAIT
    } else {
        OTHERS_WAIT
    };
    // A timeout is ignored: the group can be initialized anyway, because the founding pairs are
    // fixed and every founder supplies the same pairs.
    let _ = tokio::time::timeout(limit, waited).await;
    let members: BTreeMap<RaftId, Member> = founders.iter().map(member_of).collect();
    match group.raft.initialize(members).await {
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
        Err(error) => {
            tracing::error!(
                target: log_target::FOUNDING,
                %error, "the group could not be initialized"
            )
        }
    }
}

fn member_of((name, address): &(NodeIdentity, String)) -> (RaftId, Member) {
    let member = Member {
        node_id: name.node_id.clone(),
        incarnation: name.incarnation,
        address: address.clone(),
    };
    (name.raft_id(), member)
}

/// Returns whether the group is initialized, or openraft has ended.
async fn is_initialized(group: &Group) -> bool {
    group.raft.is_initialized().await.unwrap_or(true)
}

/// Waits until every other founder has adopted the founding pairs.
async fn wait_until_adopted(bootstrap: &Bootstrap, founders: &[(NodeIdentity, String)]) {
    let own = bootstrap.local_member().name.clone();
    for (name, address) in founders.iter().filter(|(name, _)| *name != own) {
        loop {
            match bootstrap.probe(address).await {
                Ok(view) if view.name == *name && view.founders.is_some() => break,
                _ => tokio::time::sleep(CHECK_INTERVAL).await,
            }
        }
    }
}

/// Sends join requests to the group until this node is a voter.
async fn request_join_until_voter(group: &Group, bootstrap: &Bootstrap) {
    let own = group.raft_id();
    let addresses: Vec<String> = bootstrap
        .options
        .inventory
        .iter()
        .flat_map(|inventory| &inventory.entries)
        .filter(|entry| entry.node_id != bootstrap.options.node_id)
        .map(|entry| entry.address.clone())
        .collect();
    let mut said = String::new();
    while !group.view().borrow().is_voter(own) {
        if let Err(error) = bootstrap.ask_to_join(&addresses).await {
            let reason = error.to_string();
            if reason != said {
                tracing::warn!(target: log_target::FOUNDING, "{reason}");
                said = reason;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(JOIN_INTERVAL) => {}
            () = group.stopping() => return,
        }
    }
    tracing::info!(target: log_target::FOUNDING, "this node is a voter again");
}

/// Resolves when the founding by this node has failed, that is, when this node's log holds only the
/// founding entry and every other founder is in another group (docs/decisions/0001).
pub(crate) async fn orphaned(group: &Group, bootstrap: &Bootstrap, identity: &GroupIdentity) {
    if identity.joined_late || identity.founders.len() < 2 {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(ORPHANED_INTERVAL).await;
        if group
            .raft
            .metrics()
            .borrow_watched()
            .last_log_index
            .unwrap_or(0)
            > 0
        {
            return std::future::pending().await;
        }
        if all_in_other_groups(group, bootstrap).await {
            tracing::warn!(
                target: log_target::FOUNDING,
                "every other founder is in another group: this node starts over and asks to join it"
            );
            return;
        }
    }
}

/// Returns whether every other founder of this group answers, and is in a group whose founders
/// differ from those of this group.
async fn all_in_other_groups(group: &Group, bootstrap: &Bootstrap) -> bool {
    let own = bootstrap.local_member().name.clone();
    for (name, address) in group.founders().iter().filter(|(name, _)| *name != own) {
        match bootstrap.probe(address).await {
            Ok(view)
                if view.name.node_id == name.node_id
                    && view
                        .founders
                        .as_deref()
                        .is_some_and(|other| other != group.founders()) => {}
            _ => return false,
        }
    }
    true
}
