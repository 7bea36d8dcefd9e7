//! The encoding of stored records.
//!
//! A record is `version u8 | crc32c u32 LE of the version and the body | body`, with the body in
//! postcard. The stored types are defined in this crate. If they were openraft's types, a release
//! of openraft with another layout would change the format on disk.

use super::error::{BadMembership, Unreadable};
use crate::types::{Entry, LogId, Member, Proposal, SnapshotMeta, StoredMembership, Vote};
use openraft::entry::EntryPayload;
use openraft::vote::RaftLeaderId;
use quorate_registry::Batch;
use quorate_registry::model::{ADDRESS_BYTES_MAX, MEMBERS_MAX, is_node_id, shown};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The newest record version that this release can read, and the version that it writes.
pub(crate) const VERSION: u8 = 1;

/// Size of a record's header, in bytes: the version and the checksum.
pub(crate) const HEADER: usize = 5;

/// Maximum size of a log entry's record, in bytes. A leader sends an entry to a follower in a
/// single frame, which has the same maximum size.
pub(crate) const ENTRY_BYTES_MAX: usize = 64 << 20;

/// Initial capacity of the buffer into which a record is encoded. The length is not known in
/// advance, and growing an empty buffer step by step costs more than encoding most records.
const FIRST_ROOM_BYTES: usize = 4 << 10;

/// Maximum number of members in a membership: four times the nodes of the largest inventory, which
/// leaves room for nodes that are being replaced.
const NODES_MAX: usize = 4 * MEMBERS_MAX;

type LeaderId = openraft::type_config::alias::LeaderIdOf<crate::types::TypeConfig>;
type Membership = openraft::Membership<u64, Member>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct StoredLogId {
    term: u64,
    node_id: u64,
    index: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct StoredVote {
    term: u64,
    node_id: u64,
    committed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredMembers {
    configs: Vec<BTreeSet<u64>>,
    nodes: BTreeMap<u64, Member>,
}

#[derive(Debug, Serialize, Deserialize)]
enum StoredPayload {
    Blank,
    Commands(Arc<Batch>),
    Members(StoredMembers),
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredEntry {
    log_id: StoredLogId,
    payload: StoredPayload,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredMeta {
    last_log_id: Option<StoredLogId>,
    members_log_id: Option<StoredLogId>,
    members: StoredMembers,
}

impl From<LogId> for StoredLogId {
    fn from(id: LogId) -> Self {
        Self {
            term: id.leader_id.term,
            node_id: id.leader_id.node_id,
            index: id.index,
        }
    }
}

impl From<StoredLogId> for LogId {
    fn from(id: StoredLogId) -> Self {
        Self::new(LeaderId::new(id.term, id.node_id).to_committed(), id.index)
    }
}

impl From<&Membership> for StoredMembers {
    fn from(members: &Membership) -> Self {
        Self {
            configs: members.get_joint_config().clone(),
            nodes: members
                .nodes()
                .map(|(id, node)| (*id, node.clone()))
                .collect(),
        }
    }
}

impl StoredMembers {
    /// Restores the membership, and checks that it is valid.
    fn restore(self) -> Result<Membership, BadMembership> {
        if self.configs.is_empty() && self.nodes.is_empty() {
            return Ok(Membership::default());
        }
        Ok(Membership::new(self.configs, self.nodes)?)
    }
}

/// Checks that a membership would be accepted when it is read back from the log or a snapshot.
///
/// # Errors
/// Returns the first problem found.
pub fn check_members(members: &Membership) -> Result<(), BadMembership> {
    if members.get_joint_config().is_empty() {
        return Err(BadMembership::NoVoters);
    }
    let nodes = members.nodes().count();
    if nodes > NODES_MAX {
        return Err(BadMembership::TooMany {
            members: nodes,
            members_max: NODES_MAX,
        });
    }
    for (_, member) in members.nodes() {
        if !is_node_id(&member.node_id) || member.address.len() > ADDRESS_BYTES_MAX {
            return Err(BadMembership::Member {
                node_id: shown(&member.node_id),
                address: shown(&member.address),
            });
        }
    }
    StoredMembers::from(members).restore().map(|_| ())
}

/// Returns the checksum in a record's header.
fn checksum(version: u8, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[version]), body)
}

/// Encodes a value as a record.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, postcard::Error> {
    let mut room = Vec::with_capacity(FIRST_ROOM_BYTES);
    room.resize(HEADER, 0);
    let mut bytes = postcard::to_extend(value, room)?;
    seal(&mut bytes);
    // The limit on data that waits for the disk counts the length of each record, but not spare
    // capacity. The spare capacity is therefore freed.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// Writes the header into the space reserved for it in front of a body.
pub(crate) fn seal(bytes: &mut [u8]) {
    if let Some((header, body)) = bytes.split_first_chunk_mut::<HEADER>() {
        header[0] = VERSION;
        header[1..].copy_from_slice(&checksum(VERSION, body).to_le_bytes());
    }
}

/// Decodes a record after checking its version and its checksum.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let Some((header, body)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(Unreadable::damaged(format!(
            "a record of {} bytes has no header",
            bytes.len()
        )));
    };
    let [version, crc @ ..] = *header;
    if checksum(version, body) != u32::from_le_bytes(crc) {
        return Err(Unreadable::damaged("a record's checksum does not match"));
    }
    if version != VERSION {
        return Err(Unreadable::Newer {
            found: u32::from(version),
            known: u32::from(VERSION),
        });
    }
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(Unreadable::damaged(format!(
            "a record has {} bytes after its end",
            rest.len()
        ))),
        Err(e) => Err(Unreadable::damaged(e)),
    }
}

/// Encodes a log entry as a record.
pub(crate) fn encode_entry(entry: &Entry) -> Result<Vec<u8>, postcard::Error> {
    encode(&StoredEntry {
        log_id: entry.log_id.into(),
        payload: match &entry.payload {
            EntryPayload::Blank => StoredPayload::Blank,
            EntryPayload::Normal(Proposal(batch)) => StoredPayload::Commands(Arc::clone(batch)),
            EntryPayload::Membership(members) => StoredPayload::Members(members.into()),
        },
    })
}

/// Decodes a log entry from a record, and checks that it has index `index`.
pub(crate) fn decode_entry(index: u64, bytes: &[u8]) -> Result<Entry, Unreadable> {
    let stored: StoredEntry = decode(bytes)?;
    if stored.log_id.index != index {
        return Err(Unreadable::damaged(format!(
            "it contains the record of log index {}",
            stored.log_id.index
        )));
    }
    Ok(Entry {
        log_id: stored.log_id.into(),
        payload: match stored.payload {
            StoredPayload::Blank => EntryPayload::Blank,
            StoredPayload::Commands(batch) => EntryPayload::Normal(Proposal(batch)),
            StoredPayload::Members(members) => {
                EntryPayload::Membership(members.restore().map_err(Unreadable::damaged)?)
            }
        },
    })
}

/// Returns the index that is stored in a log entry's record.
#[cfg(feature = "fuzzing")]
pub(crate) fn entry_index(bytes: &[u8]) -> Result<u64, Unreadable> {
    decode::<StoredEntry>(bytes).map(|stored| stored.log_id.index)
}

/// Encodes a log id as a record.
pub(crate) fn encode_log_id(id: LogId) -> Result<Vec<u8>, postcard::Error> {
    encode(&StoredLogId::from(id))
}

/// Decodes a log id from a record.
pub(crate) fn decode_log_id(bytes: &[u8]) -> Result<LogId, Unreadable> {
    decode::<StoredLogId>(bytes).map(LogId::from)
}

/// Encodes a vote as a record.
pub(crate) fn encode_vote(vote: &Vote) -> Result<Vec<u8>, postcard::Error> {
    encode(&StoredVote {
        term: vote.leader_id.term,
        node_id: vote.leader_id.node_id,
        committed: vote.committed,
    })
}

/// Decodes a vote from a record.
pub(crate) fn decode_vote(bytes: &[u8]) -> Result<Vote, Unreadable> {
    let stored: StoredVote = decode(bytes)?;
    let mut vote = Vote::new(stored.term, stored.node_id);
    vote.committed = stored.committed;
    Ok(vote)
}

/// Encodes snapshot metadata as a record.
pub(crate) fn encode_snapshot_meta(meta: &SnapshotMeta) -> Result<Vec<u8>, postcard::Error> {
    encode(&StoredMeta {
        last_log_id: meta.last_log_id.map(Into::into),
        members_log_id: meta.last_membership.log_id().map(Into::into),
        members: meta.last_membership.membership().into(),
    })
}

/// Decodes snapshot metadata from a record.
pub(crate) fn decode_snapshot_meta(bytes: &[u8]) -> Result<SnapshotMeta, Unreadable> {
    let stored: StoredMeta = decode(bytes)?;
    Ok(SnapshotMeta {
        last_log_id: stored.last_log_id.map(Into::into),
        last_membership: StoredMembership::new(
            stored.members_log_id.map(Into::into),
            stored.members.restore().map_err(Unreadable::damaged)?,
        ),
    })
}

#[cfg(test)]
mod tests;
