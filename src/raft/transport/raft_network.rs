//! openraft's network, implemented over the connections to the peers.

use super::super::apply::snapshot_body::{RaftSnapshot, SnapshotBody};
use super::peers::Peers;
use super::{CallError, Channel, Request, Response, SnapshotChunk};
use crate::storage::types::{LogId, Member, RaftId, TypeConfig, Vote};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetworkFactory, RaftNetworkV2};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Timeout of an append with entries. An append with a full megabyte of entries may take this long
/// on a slow disk. With a shorter timeout, openraft would resend the append from its start.
const APPEND_TIMEOUT: Duration = Duration::from_secs(2);
/// Size of one piece of a snapshot. It is small enough that the connection never counts as dead
/// while a piece is in transfer.
const SNAPSHOT_CHUNK_BYTES: usize = 1 << 20;
/// Timeout of one piece of a snapshot. The last piece is answered only when the snapshot is on disk
/// and installed.
const SNAPSHOT_CHUNK_TIMEOUT: Duration = Duration::from_secs(20);

type RpcResult<T> = Result<T, RPCError<TypeConfig>>;

/// The factory of the clients through which openraft reaches the members.
#[derive(Clone)]
pub(crate) struct Network {
    peers: Arc<Peers>,
}

impl Network {
    pub(crate) fn new(peers: Arc<Peers>) -> Network {
        Network { peers }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = MemberClient;

    async fn new_client(&mut self, target: RaftId, member: &Member) -> MemberClient {
        MemberClient {
            peers: self.peers.clone(),
            target,
            member: member.clone(),
        }
    }
}

/// openraft's client for one member. It connects when first used.
pub(crate) struct MemberClient {
    peers: Arc<Peers>,
    target: RaftId,
    member: Member,
}

impl MemberClient {
    /// Sends a request to the member, and translates a failure into an error of openraft.
    async fn ask(
        &self,
        channel: Channel,
        request: Request,
        limit: Duration,
    ) -> RpcResult<Response> {
        match self
            .peers
            .call(self.target, &self.member, channel, request, limit)
            .await
        {
            Ok(Response::Failed(reason)) => {
                Err(RPCError::Network(NetworkError::from_string(reason)))
            }
            Ok(answer) => Ok(answer),
            Err(error @ (CallError::NotSent(_) | CallError::Refused { .. })) => {
                Err(RPCError::Unreachable(Unreachable::from_string(error)))
            }
            Err(error @ CallError::NoAnswer(_)) => {
                Err(RPCError::Network(NetworkError::from_string(error)))
            }
        }
    }

    /// Sends a request for a vote or a pre-vote.
    async fn ask_vote(
        &self,
        request: Request,
        option: &RPCOption,
    ) -> RpcResult<VoteResponse<TypeConfig>> {
        match self
            .ask(Channel::Control, request, option.soft_ttl())
            .await?
        {
            Response::Vote(response) => Ok(response),
            other => Err(mismatch(&other)),
        }
    }

    /// Sends a snapshot to the member, piece by piece.
    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: RaftSnapshot,
    ) -> RpcResult<SnapshotResponse<TypeConfig>> {
        let SnapshotBody::Encoded(body) = snapshot.snapshot else {
            let why = "a snapshot cannot be sent without its body";
            return Err(RPCError::Network(NetworkError::from_string(why)));
        };
        let total = body.len();
        let mut offset = 0;
        loop {
            let end = total.min(offset + SNAPSHOT_CHUNK_BYTES);
            let last = end == total;
            let chunk = SnapshotChunk {
                vote,
                meta: snapshot.meta.clone(),
                offset: offset as u64,
                data: body[offset..end].to_vec(),
                last,
            };
            match self
                .ask(
                    Channel::Snapshot,
                    Request::Snapshot(Box::new(chunk)),
                    SNAPSHOT_CHUNK_TIMEOUT,
                )
                .await?
            {
                Response::Snapshot(Some(vote)) => return Ok(SnapshotResponse::new(vote)),
                Response::Snapshot(None) if !last => {
                    self.peers.note_piece(self.target);
                    offset = end;
                }
                other => return Err(mismatch(&other)),
            }
        }
    }
}

impl RaftNetworkV2<TypeConfig> for MemberClient {
    type SnapshotData = SnapshotBody;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> RpcResult<AppendEntriesResponse<TypeConfig>> {
        let covered = last_of(&rpc);
        let (channel, limit) = match rpc.entries.is_empty() {
            true => (Channel::Control, option.soft_ttl()),
            false => (Channel::Log, APPEND_TIMEOUT),
        };
        if let Some(covered) = covered
            && channel == Channel::Log
        {
            self.peers.note_sent(self.target, covered.index);
        }
        match self.ask(channel, Request::Append(rpc), limit).await? {
            Response::Append(response) => {
                match &response {
                    AppendEntriesResponse::Success => {
                        self.peers.note_acknowledged(self.target, covered)
                    }
                    AppendEntriesResponse::PartialSuccess(upto) => {
                        self.peers.note_acknowledged(self.target, *upto)
                    }
                    _ => {}
                }
                Ok(response)
            }
            other => Err(mismatch(&other)),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> RpcResult<VoteResponse<TypeConfig>> {
        self.ask_vote(Request::Vote(rpc), &option).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> RpcResult<VoteResponse<TypeConfig>> {
        self.ask_vote(Request::PreVote(rpc), &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: RaftSnapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = self.send_snapshot(vote, snapshot) => sent.map_err(StreamingError::from),
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> RpcResult<TransferLeaderResponse<TypeConfig>> {
        match self
            .ask(Channel::Control, Request::Transfer(req), option.soft_ttl())
            .await?
        {
            Response::Transfer(response) => Ok(response),
            other => Err(mismatch(&other)),
        }
    }
}

/// Returns the last log id that the follower holds if it accepts this append.
fn last_of(rpc: &AppendEntriesRequest<TypeConfig>) -> Option<LogId> {
    rpc.entries
        .last()
        .map(|entry| entry.log_id)
        .or(rpc.prev_log_id)
}

/// Returns the error for an answer of another kind than the request.
fn mismatch(answer: &Response) -> RPCError<TypeConfig> {
    let text = format!("{answer:?}");
    let short: String = text.chars().take(80).collect();
    RPCError::Network(NetworkError::from_string(format!(
        "the answer does not match the request: {short}"
    )))
}
