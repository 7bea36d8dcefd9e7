//! The requests that only members may send.

use super::snapshot_chunks::{ChunkAssembler, take_chunk};
use crate::raft::consensus::{proposer, read_index};
use crate::raft::group::Group;
use crate::raft::monitor::peer_status;
use crate::raft::transport::{Request, Response, message_checks};
use crate::registry::Leadership;
use crate::storage::types::{RaftId, TypeConfig};
use openraft::raft::AppendEntriesRequest;
use openraft::vote::RaftLeaderId;
use std::sync::Mutex;

/// Serves one request of a member.
pub(super) async fn serve_member(
    from: RaftId,
    group: &Group,
    snapshot: &Mutex<ChunkAssembler>,
    request: Request,
) -> Response {
    let failed = |error: &dyn std::fmt::Display| Response::Failed(error.to_string());
    match request {
        Request::Vote(rpc) => group
            .raft
            .vote(rpc)
            .await
            .map_or_else(|error| failed(&error), Response::Vote),
        Request::PreVote(rpc) => group
            .raft
            .pre_vote(rpc)
            .await
            .map_or_else(|error| failed(&error), Response::Vote),
        Request::Append(rpc) => append(group, rpc).await,
        Request::Snapshot(chunk) => match group.check_disk_space() {
            Ok(()) => take_chunk(from, group, snapshot, *chunk).await,
            Err(full) => failed(&full),
        },
        Request::Transfer(rpc) => group
            .raft
            .handle_transfer_leader(rpc)
            .await
            .map_or_else(|error| failed(&error), Response::Transfer),
        Request::ReadIndex(vote) => Response::ReadIndex(match group.leads() {
            true => read_index::confirm_for(group, from, vote)
                .await
                .map_err(|unavailable| unavailable.to_string()),
            false => Err(format!("{} is not the leader", group.options.node_id)),
        }),
        Request::Forward(forwarded) => {
            Response::Forward(proposer::take_forwarded(group, forwarded).await)
        }
        Request::Status(theirs) => {
            let own = match theirs.facts {
                Some(_) => peer_status::own_with_facts(group),
                None => peer_status::own(group),
            };
            group.peers.note_applied(from, theirs.applied, own.applied);
            group.replica.evidence().note_committed(theirs.applied);
            Response::Status(own)
        }
        Request::Probe | Request::Join(_) => {
            Response::Failed("this request is handled elsewhere".to_owned())
        }
    }
}

/// Checks an append from the leader, records the log positions that the append reveals
/// ([`note_evidence`]), and passes the append to openraft.
async fn append(group: &Group, rpc: AppendEntriesRequest<TypeConfig>) -> Response {
    if let Err(invalid) = message_checks::append(&rpc) {
        return Response::Failed(invalid.to_string());
    }
    // Record the log positions before the entries are on disk, because the disk may take long. The
    // leader's statements about its log and its commits are valid regardless of this node's disk.
    note_evidence(group, &rpc);
    if !rpc.entries.is_empty()
        && let Err(full) = group.check_disk_space()
    {
        return Response::Failed(full.to_string());
    }
    group.raft.append_entries(rpc).await.map_or_else(
        |error| Response::Failed(error.to_string()),
        Response::Append,
    )
}

/// Records which entries the leader has and which are committed, as evidence of the order of writes
/// ([`crate::raft::apply::evidence`]).
fn note_evidence(group: &Group, rpc: &AppendEntriesRequest<TypeConfig>) {
    let evidence = group.replica.evidence();
    if let Some(committed) = &rpc.leader_commit {
        evidence.note_committed(committed.index);
    }
    let leader = rpc.vote.leader_id();
    let (term, node) = (leader.term(), *leader.node_id());
    let last = rpc.entries.last().map(|entry| entry.log_id.index);
    if let Some(index) = last.or(rpc.prev_log_id.map(|log_id| log_id.index)) {
        evidence.note_tail(Leadership { term, node }, index);
    }
}
