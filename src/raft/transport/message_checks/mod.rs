//! Validation of messages from peers before use.
//!
//! Data from a message is stored, logged or passed to openraft only if its size is bounded, and if
//! the code that reads the data back from disk accepts it.

use super::identity::NodeIdentity;
use super::{GroupInfo, Hello, JoinRequest};
use crate::model::{ADDRESS_BYTES_MAX, MEMBERS_MAX, NODE_ID_BYTES_MAX, is_node_id, shown};
use crate::storage;
use crate::storage::types::{Entry, LogId, SnapshotMeta, TypeConfig};
use openraft::entry::EntryPayload;
use openraft::raft::AppendEntriesRequest;

/// Checks a peer's description of itself in its first message.
///
/// # Errors
/// Names the invalid value.
pub(crate) fn hello(hello: &Hello) -> Result<(), String> {
    name(&hello.from.name)?;
    short("environment", &hello.from.environment, NODE_ID_BYTES_MAX)
}

/// Checks an emptied node's request to join.
///
/// # Errors
/// Names the field.
pub(crate) fn join_request(request: &JoinRequest, environment: &str) -> Result<(), String> {
    name(&request.name)?;
    short("address", &request.address, ADDRESS_BYTES_MAX)?;
    match request.environment == environment {
        true => Ok(()),
        false => Err(format!(
            "its environment is {}, but the environment of the group is {environment}",
            shown(&request.environment)
        )),
    }
}

/// Checks a node's view of its group.
///
/// # Errors
/// Names the field.
pub(crate) fn group_info(view: &GroupInfo) -> Result<(), String> {
    name(&view.name)?;
    short("environment", &view.environment, NODE_ID_BYTES_MAX)?;
    view.founders.as_deref().map_or(Ok(()), founders)
}

/// Checks the founders of a group: their number, their names and their addresses.
///
/// # Errors
/// Gives the reason why a valid group cannot have these founders.
pub(crate) fn founders(founders: &[(NodeIdentity, String)]) -> Result<(), String> {
    if founders.is_empty() || founders.len() > MEMBERS_MAX {
        return Err(format!(
            "a group has 1 to {MEMBERS_MAX} founders, not {}",
            founders.len()
        ));
    }
    for (founder, address) in founders {
        name(founder)?;
        short("founder address", address, ADDRESS_BYTES_MAX)?;
    }
    Ok(())
}

/// Checks the entries that a leader sends. Each entry must follow its predecessor, and the reader
/// of the log on disk must accept it.
///
/// # Errors
/// Names the log index.
pub(crate) fn append(append: &AppendEntriesRequest<TypeConfig>) -> Result<(), String> {
    let mut before = append.prev_log_id;
    for entry in &append.entries {
        let LogId { leader_id, index } = entry.log_id;
        let next = before.map_or(Some(0), |id| id.index.checked_add(1));
        if next != Some(index) || before.is_some_and(|id| id.leader_id > leader_id) {
            return Err(format!("log index {index} does not follow the one before"));
        }
        payload(entry).map_err(|what| format!("log index {index}: {what}"))?;
        before = Some(entry.log_id);
    }
    Ok(())
}

/// Checks the content of an entry.
fn payload(entry: &Entry) -> Result<(), String> {
    match &entry.payload {
        EntryPayload::Blank | EntryPayload::Normal(_) => Ok(()),
        EntryPayload::Membership(members) => storage::check_members(members),
    }
}

/// Checks the metadata of a snapshot.
///
/// # Errors
/// Gives the reason why the reader of snapshots on disk would not accept it.
pub(crate) fn snapshot_meta(meta: &SnapshotMeta) -> Result<(), String> {
    storage::check_snapshot_meta(meta)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Checks that a name is a valid `node.id`.
fn name(name: &NodeIdentity) -> Result<(), String> {
    match is_node_id(&name.node_id) {
        true => Ok(()),
        false => Err(format!(
            "it calls itself {}, which is not a valid node.id",
            shown(&name.node_id)
        )),
    }
}

/// Checks that a text is at most `bytes_max` long.
fn short(field: &str, text: &str, bytes_max: usize) -> Result<(), String> {
    match text.len() <= bytes_max {
        true => Ok(()),
        false => Err(format!(
            "its {field} has {} bytes; the limit is {bytes_max}: {}",
            text.len(),
            shown(text)
        )),
    }
}

#[cfg(test)]
mod tests;
