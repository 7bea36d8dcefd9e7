//! Entry points for fuzzing: decoders of peer messages and of records on disk that have a valid
//! checksum, and samples of both as seeds.

use super::transport::fuzzing::{frames_of, read_as_each_message};
use crate::registry::{Batch, Command};
use crate::storage::fuzzing::{log_frame_again, log_frame_of, log_record_of, read_log_record};
use crate::storage::types::{Entry, LogId, Member, Proposal};
use openraft::Membership;
use openraft::entry::EntryPayload;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Decodes a frame as each message that a peer may send, and returns how many succeeded.
pub fn peer_message(frame: &[u8]) -> usize {
    read_as_each_message(frame)
}

/// Decodes the content of a log record whose checksum is right, and returns whether it is valid.
pub fn log_record(content: &[u8]) -> bool {
    read_log_record(content)
}

/// Decodes the body of a WAL frame whose checksums are right, and encodes it again. Returns
/// `None` when it is not valid.
pub fn log_frame(body: &[u8]) -> Option<Vec<u8>> {
    log_frame_again(body)
}

/// Returns sample frames of the larger messages, some of them with `commands`.
pub fn peer_message_samples(commands: Vec<Command>) -> Vec<Vec<u8>> {
    frames_of(entries(commands.clone()), commands)
}

/// Returns sample contents of log records of every kind, one of them with `commands`.
pub fn log_record_samples(commands: Vec<Command>) -> Vec<Vec<u8>> {
    entries(commands).iter().map(log_record_of).collect()
}

/// Returns sample bodies of WAL frames: with no entry, with one entry, and with all sample entries.
pub fn log_frame_samples(commands: Vec<Command>) -> Vec<Vec<u8>> {
    let entries = entries(commands);
    let parts = [&entries[..0], &entries[..1], &entries[..]];
    parts.map(log_frame_of).to_vec()
}

fn entries(commands: Vec<Command>) -> Vec<Entry> {
    let batch = Batch {
        max_age_ms: 30_000,
        step_ms: 1_000,
        commands,
    };
    let member = |node_id: &str| Member {
        node_id: node_id.to_owned(),
        incarnation: 7,
        address: "http://10.0.0.1:8411".to_owned(),
    };
    let members = Membership::new(
        vec![BTreeSet::from([1, 2]), BTreeSet::from([1])],
        BTreeMap::from([(1, member("a")), (2, member("b"))]),
    )
    .unwrap_or_default();
    [
        EntryPayload::Blank,
        EntryPayload::Normal(Proposal(Arc::new(batch))),
        EntryPayload::Membership(members),
    ]
    .into_iter()
    .zip(1..)
    .map(|(payload, index)| Entry {
        log_id: log_id(index),
        payload,
    })
    .collect()
}

fn log_id(index: u64) -> LogId {
    let leader = openraft::impls::leader_id_adv::LeaderId {
        term: 3,
        node_id: 1,
    };
    LogId::new(leader, index)
}
