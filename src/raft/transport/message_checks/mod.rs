//! Validation of messages from peers before use.
//!
//! Data from a message is stored, logged or passed to openraft only if its size is bounded, and if
//! the code that reads the data back from disk accepts it.

use super::identity::NodeIdentity;
use super::{GroupInfo, Hello, JoinRequest};
use crate::model::{ADDRESS_BYTES_MAX, MEMBERS_MAX, NODE_ID_BYTES_MAX, is_node_id, shown};
use crate::storage::types::{Entry, LogId, SnapshotMeta, TypeConfig};
use crate::storage::{self, BadMembership};
use openraft::entry::EntryPayload;
use openraft::raft::AppendEntriesRequest;
use std::io;
use thiserror::Error;

/// The reason why a message is not used. It quotes little of the message, in printable characters.
#[derive(Debug, Error)]
pub(crate) enum InvalidMessage {
    /// The sender's name is not a valid `node.id`.
    #[error("it calls itself {0}, which is not a valid node.id")]
    Name(String),
    /// A text is too long.
    #[error("its {field} has {bytes} bytes; the limit is {bytes_max}: {text}")]
    Long {
        field: &'static str,
        bytes: usize,
        bytes_max: usize,
        text: String,
    },
    /// The sender is in another environment.
    #[error("its environment is {theirs}, but the environment of the group is {ours}")]
    Environment { theirs: String, ours: String },
    /// A group cannot have this number of founders.
    #[error("a group has 1 to {MEMBERS_MAX} founders, not {0}")]
    Founders(usize),
    /// The entry with this log index does not continue the log.
    #[error("log index {0} does not follow the one before")]
    Order(u64),
    /// The membership in an entry is invalid.
    #[error("log index {index}: {source}")]
    Membership { index: u64, source: BadMembership },
    /// The metadata of a snapshot is invalid.
    #[error(transparent)]
    SnapshotMeta(#[from] io::Error),
}

/// Checks a peer's description of itself in its first message.
///
/// # Errors
/// The error contains the invalid value.
pub(crate) fn hello(hello: &Hello) -> Result<(), InvalidMessage> {
    name(&hello.from.name)?;
    short("environment", &hello.from.environment, NODE_ID_BYTES_MAX)
}

/// Checks an emptied node's request to join.
///
/// # Errors
/// The error names the invalid field.
pub(crate) fn join_request(request: &JoinRequest, environment: &str) -> Result<(), InvalidMessage> {
    name(&request.name)?;
    short("address", &request.address, ADDRESS_BYTES_MAX)?;
    match request.environment == environment {
        true => Ok(()),
        false => Err(InvalidMessage::Environment {
            theirs: shown(&request.environment),
            ours: environment.to_owned(),
        }),
    }
}

/// Checks a node's view of its group.
///
/// # Errors
/// The error names the invalid field.
pub(crate) fn group_info(view: &GroupInfo) -> Result<(), InvalidMessage> {
    name(&view.name)?;
    short("environment", &view.environment, NODE_ID_BYTES_MAX)?;
    view.founders.as_deref().map_or(Ok(()), founders)
}

/// Checks the founders of a group: their number, their names and their addresses.
///
/// # Errors
/// The reason why a valid group cannot have these founders.
pub(crate) fn founders(founders: &[(NodeIdentity, String)]) -> Result<(), InvalidMessage> {
    if founders.is_empty() || founders.len() > MEMBERS_MAX {
        return Err(InvalidMessage::Founders(founders.len()));
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
/// The error names the log index of the invalid entry.
pub(crate) fn append(append: &AppendEntriesRequest<TypeConfig>) -> Result<(), InvalidMessage> {
    let mut before = append.prev_log_id;
    for entry in &append.entries {
        let LogId { leader_id, index } = entry.log_id;
        let next = before.map_or(Some(0), |id| id.index.checked_add(1));
        if next != Some(index) || before.is_some_and(|id| id.leader_id > leader_id) {
            return Err(InvalidMessage::Order(index));
        }
        payload(entry).map_err(|source| InvalidMessage::Membership { index, source })?;
        before = Some(entry.log_id);
    }
    Ok(())
}

/// Checks the content of an entry.
fn payload(entry: &Entry) -> Result<(), BadMembership> {
    match &entry.payload {
        EntryPayload::Blank | EntryPayload::Normal(_) => Ok(()),
        EntryPayload::Membership(members) => storage::check_members(members),
    }
}

/// Checks the metadata of a snapshot.
///
/// # Errors
/// The reason why the reader of snapshots on disk would reject the metadata.
pub(crate) fn snapshot_meta(meta: &SnapshotMeta) -> Result<(), InvalidMessage> {
    storage::check_snapshot_meta(meta)?;
    Ok(())
}

/// Checks that a name is a valid `node.id`.
fn name(name: &NodeIdentity) -> Result<(), InvalidMessage> {
    match is_node_id(&name.node_id) {
        true => Ok(()),
        false => Err(InvalidMessage::Name(shown(&name.node_id))),
    }
}

/// Checks that a text is at most `bytes_max` long.
fn short(field: &'static str, text: &str, bytes_max: usize) -> Result<(), InvalidMessage> {
    match text.len() <= bytes_max {
        true => Ok(()),
        false => Err(InvalidMessage::Long {
            field,
            bytes: text.len(),
            bytes_max,
            text: shown(text),
        }),
    }
}

#[cfg(test)]
mod tests;
