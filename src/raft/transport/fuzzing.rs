//! Entry points for fuzzing the decoding of messages.

use super::frame::{MAX_FRAME_BYTES, decode, encode};
use super::messages::{Forwarded, GroupInfo, JoinRequest, StateDigest};
use super::{
    Hello, HelloReply, MemberFacts, PeerIdentity, PeerStatus, Request, Response, SnapshotChunk,
};
use crate::raft::transport::identity::NodeIdentity;
use crate::registry::Command;
use crate::storage::types::{Entry, SnapshotMeta, Vote};
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use serde::Serialize;

/// Decodes a frame as each type of message. Returns the number of types that succeed.
pub(in crate::raft) fn read_as_each_message(frame: &[u8]) -> usize {
    [
        decode::<Hello>(frame).is_ok(),
        decode::<HelloReply>(frame).is_ok(),
        decode::<Request>(frame).is_ok(),
        decode::<Response>(frame).is_ok(),
    ]
    .iter()
    .filter(|is| **is)
    .count()
}

/// Returns a sample frame of each of the larger messages.
pub(in crate::raft) fn frames_of(entries: Vec<Entry>, commands: Vec<Command>) -> Vec<Vec<u8>> {
    let name = NodeIdentity {
        node_id: "a".to_owned(),
        incarnation: 7,
    };
    let log_id = entries.last().map(|entry| entry.log_id);
    let identity = PeerIdentity {
        name: name.clone(),
        environment: "test".to_owned(),
        process: 9,
        last_log_id: log_id,
        vote_term: 3,
    };
    let vote = Vote::new_committed(3, 1);
    let snapshot = SnapshotChunk {
        vote,
        meta: SnapshotMeta {
            last_log_id: log_id,
            ..SnapshotMeta::default()
        },
        offset: 0,
        data: vec![1; 40],
        last: true,
    };
    let status = PeerStatus {
        applied: 5,
        disk_low: false,
        digests: vec![StateDigest {
            index: 16,
            digest: 1 << 90,
        }],
        level: 2,
        facts: Some(MemberFacts {
            release: "0.1.0".to_owned(),
            uptime_s: 7,
            wall_ms: 8,
            disk: Some((9, 10)),
        }),
    };
    let view = GroupInfo {
        name: name.clone(),
        environment: "test".to_owned(),
        inventory_digest: Some(1),
        founders: Some(vec![(name.clone(), "http://10.0.0.1:8411".to_owned())]),
    };
    let request = JoinRequest {
        name,
        address: "http://10.0.0.1:8411".to_owned(),
        environment: "test".to_owned(),
    };
    let append = AppendEntriesRequest {
        vote,
        prev_log_id: log_id,
        entries,
        leader_commit: log_id,
    };
    vec![
        frame(&Hello::member(identity.clone(), 1, 2)),
        frame(&HelloReply::Accepted(identity)),
        frame(&Request::Join(request)),
        frame(&Request::Vote(VoteRequest::new(vote, log_id))),
        frame(&Request::Append(append)),
        frame(&Request::Snapshot(Box::new(snapshot))),
        frame(&Request::Forward(Forwarded {
            writes: commands
                .into_iter()
                .zip(1..)
                .map(|(c, ms)| (ms, c))
                .collect(),
        })),
        frame(&Request::Status(status)),
        frame(&Response::Probe(view)),
        frame(&Response::Failed("why".to_owned())),
    ]
}

fn frame<T: Serialize>(message: &T) -> Vec<u8> {
    encode(1, message, MAX_FRAME_BYTES)
        .map(Vec::from)
        .unwrap_or_default()
}
