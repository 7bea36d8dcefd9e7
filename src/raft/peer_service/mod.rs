//! The handling of requests from peers: which connections are accepted, and how each request is
//! served. `snapshot_chunks` receives snapshots.

mod snapshot_chunks;

use super::bootstrap::group_discovery::Bootstrap;
use super::consensus::{proposer, read_index};
use super::group::Group;
use super::membership::handle_join;
use super::monitor::peer_status;
use super::transport::identity::NodeIdentity;
use super::transport::{
    GroupInfo, Hello, HelloReply, JoinResponse, MESSAGES_VERSION, NonMembers, PeerIdentity,
    PeerProof, PeerService, Request, Response, message_checks,
};
use crate::audit::{AUDIT_TARGET, PEER};
use crate::locks::read;
use crate::model::shown;
use crate::registry::Leadership;
use crate::storage::GroupIdentity;
use crate::storage::types::{RaftId, TypeConfig};
use openraft::raft::AppendEntriesRequest;
use openraft::vote::RaftLeaderId;
use snapshot_chunks::{ChunkAssembler, take_chunk};
use std::sync::{Arc, Mutex, RwLock};

/// The server side of the peers' connections.
pub(crate) struct RaftPeerService {
    pub(crate) bootstrap: Arc<Bootstrap>,
    /// The group, once this node is in one.
    pub(crate) group: RwLock<Option<Arc<Group>>>,
}

/// The state of a connection that was accepted.
pub(crate) enum PeerSession {
    /// A connection from a node that looks for its group.
    NonMember {
        /// Whether peers have keys to prove their identity, but this peer gave no proof.
        is_plain: bool,
    },
    /// A connection from a member, whose hello contained the raft id of this node.
    Member {
        id: RaftId,
        /// Whether peers have keys to prove their identity, but this peer gave no proof.
        is_plain: bool,
        group: Arc<Group>,
        snapshot: Mutex<ChunkAssembler>,
    },
}

/// The reason why a connection is not accepted.
enum Rejection {
    /// The peer may try again soon.
    Retry(String),
    /// The peer may not connect, for example because its hello names the wrong cluster, receiver or
    /// version.
    Refused(String),
    /// The sender must stop, because it is not the node that it claims to be. An operator has to
    /// investigate.
    Fatal(String),
}

impl RaftPeerService {
    pub(crate) fn group(&self) -> Option<Arc<Group>> {
        read(&self.group).clone()
    }

    /// Accepts or rejects the hello of a peer.
    fn accept(&self, hello: &Hello, proof: &PeerProof) -> Result<PeerSession, Rejection> {
        let own = &self.bootstrap.options;
        message_checks::hello(hello).map_err(|invalid| Rejection::Refused(invalid.to_string()))?;
        if !own.security.accepts(proof) {
            return Err(Rejection::Refused(format!(
                "it has not proved that it has the shared secret of {}",
                own.node_id
            )));
        }
        if hello.version != MESSAGES_VERSION {
            return Err(Rejection::Refused(format!(
                "it speaks peer protocol version {}, but {} speaks version {MESSAGES_VERSION}",
                hello.version, own.node_id
            )));
        }
        if hello.from.environment != own.environment {
            return Err(Rejection::Refused(format!(
                "its environment is {}, but that of {} is {}",
                shown(&hello.from.environment),
                own.node_id,
                own.environment
            )));
        }
        let is_plain = !own.security.may_stop(proof);
        match (hello.to, self.group()) {
            (None, _) => Ok(PeerSession::NonMember { is_plain }),
            (Some(_), None) => Err(Rejection::Retry(format!(
                "{} is starting or stopping",
                own.node_id
            ))),
            (Some(meant), Some(group)) => self.accept_member(hello, is_plain, meant, group),
        }
    }

    /// Accepts or rejects the hello of a member: checks the cluster, the receiver and the sender.
    fn accept_member(
        &self,
        hello: &Hello,
        is_plain: bool,
        (cluster_id, target): (u64, RaftId),
        group: Arc<Group>,
    ) -> Result<PeerSession, Rejection> {
        let node_id = &self.bootstrap.options.node_id;
        let id = hello.from.name.raft_id();
        if cluster_id != group.peers.cluster_id() {
            return Err(Rejection::Refused(format!(
                "{node_id} is in another cluster: {:016x}",
                group.peers.cluster_id()
            )));
        }
        if target != group.raft_id() {
            return Err(Rejection::Refused(format!(
                "the connection is meant for another incarnation of {node_id}"
            )));
        }
        if id == group.raft_id() {
            return Err(Rejection::Fatal(format!(
                "two processes run on copies of the data directory of {node_id}"
            )));
        }
        if group.replica.registry().is_retired(id) {
            return Err(Rejection::Fatal(format!(
                "{} was replaced: empty its data directory and start it again; it rejoins \
                 by itself",
                hello.from.name
            )));
        }
        if is_plain
            && !group
                .view()
                .borrow()
                .members()
                .any(|(member, ..)| member == id)
        {
            // Reject the peer, because anyone can make up a name. Allow a retry, because the peer
            // may be a node that is about to become a member.
            return Err(Rejection::Retry(format!(
                "{} is not a member and has not proved that it has the shared secret of {node_id}",
                hello.from.name
            )));
        }
        let plain_because = is_plain.then_some("it opened a plain connection");
        let verified = group.peers.verify(&hello.from, plain_because);
        verified.map_err(|mismatch| match is_plain {
            true => Rejection::Refused(mismatch.to_string()),
            false => Rejection::Fatal(mismatch.to_string()),
        })?;
        Ok(PeerSession::Member {
            id,
            is_plain,
            group,
            snapshot: Mutex::default(),
        })
    }

    fn identity(&self) -> PeerIdentity {
        self.bootstrap.local_member().identity()
    }

    /// Returns this node's view of its group, which it reports to nodes that look for a group.
    fn view(&self) -> GroupInfo {
        let options = &self.bootstrap.options;
        GroupInfo {
            name: self.bootstrap.local_member().name.clone(),
            environment: options.environment.clone(),
            inventory_digest: options
                .inventory
                .as_ref()
                .map(|inventory| inventory.digest()),
            founders: self.bootstrap.group_identity().as_ref().map(founders),
        }
    }
}

/// Returns the founders of a group and their addresses, in the form that is sent to peers.
pub(crate) fn founders(group: &GroupIdentity) -> Vec<(NodeIdentity, String)> {
    group
        .founders
        .iter()
        .map(|(node_id, incarnation, address)| {
            (
                NodeIdentity {
                    node_id: node_id.clone(),
                    incarnation: *incarnation,
                },
                address.clone(),
            )
        })
        .collect()
}

impl PeerService for RaftPeerService {
    type Session = PeerSession;

    fn accept_hello(&self, hello: &Hello, proof: &PeerProof) -> (HelloReply, Option<PeerSession>) {
        let rejection = match self.accept(hello, proof) {
            Ok(session) => {
                // A peer without a proof could fill the audit log with connections.
                if matches!(proof, PeerProof::Key(_)) {
                    let principal = format!("peer:{}", shown(&hello.from.name.node_id));
                    tracing::info!(
                        target: AUDIT_TARGET, principal, outcome = "accepted", "{PEER}"
                    );
                }
                return (HelloReply::Accepted(self.identity()), Some(session));
            }
            Err(rejection) => rejection,
        };
        let (reason, fatal) = match rejection {
            Rejection::Retry(reason) => return (HelloReply::NotYet { reason }, None),
            Rejection::Refused(reason) => (reason, false),
            Rejection::Fatal(reason) => (reason, true),
        };
        self.bootstrap
            .rejections
            .log(&hello.from.name, proof, &reason);
        (HelloReply::Refused { reason, fatal }, None)
    }

    fn non_members(&self) -> &NonMembers {
        &self.bootstrap.non_members
    }

    fn is_non_member(&self, session: &PeerSession) -> bool {
        matches!(session, PeerSession::NonMember { .. })
    }

    fn is_current(&self, session: &PeerSession, opened_epoch: u64) -> bool {
        let still_the_group = match session {
            PeerSession::NonMember { .. } => true,
            PeerSession::Member {
                id,
                is_plain,
                group,
                ..
            } => {
                let is_disproved = *is_plain && group.peers.has_proved(*id);
                !is_disproved && self.group().is_some_and(|now| Arc::ptr_eq(&now, group))
            }
        };
        still_the_group && self.bootstrap.options.pause_detector.runs(opened_epoch)
    }

    async fn serve(self: Arc<Self>, session: Arc<PeerSession>, request: Request) -> Response {
        match (&*session, request) {
            (_, Request::Probe) => Response::Probe(self.view()),
            (
                PeerSession::NonMember { is_plain: true }
                | PeerSession::Member { is_plain: true, .. },
                Request::Join(_),
            ) => Response::Join(JoinResponse::Refused(
                "a node without a data directory must prove that it has the shared secret: set it \
                 there"
                    .to_owned(),
            )),
            (_, Request::Join(request)) => Response::Join(match self.group() {
                Some(group) => handle_join::handle_join(&group, request).await,
                None => JoinResponse::Refused(format!(
                    "{} is not in a group yet",
                    self.bootstrap.options.node_id
                )),
            }),
            (PeerSession::NonMember { .. }, _) => {
                Response::Failed("only a member may send this request".to_owned())
            }
            (
                PeerSession::Member {
                    id,
                    is_plain,
                    group,
                    snapshot,
                },
                request,
            ) => {
                group.peers.note_request(*id, *is_plain);
                serve_member(*id, group, snapshot, request).await
            }
        }
    }
}

/// Serves one request of a member.
async fn serve_member(
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
            let own = peer_status::own(group);
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

#[cfg(test)]
mod tests;
