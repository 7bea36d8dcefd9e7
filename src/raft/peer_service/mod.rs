//! The handling of requests from peers.

use super::apply::snapshot_body::{RaftSnapshot, SnapshotBody};
use super::bootstrap::group_discovery::Forming;
use super::consensus::{proposer, read_index};
use super::group::Group;
use super::log_target;
use super::membership::handle_join;
use super::monitor::peer_status;
use super::transport::identity::NodeName;
use super::transport::{
    Answer, GroupView, Guests, Hello, Introduction, JoinAnswer, MESSAGES_VERSION, PeerService,
    Request, SnapshotChunk, Welcome, message_checks,
};
use crate::locks::{lock, read};
use crate::model::shown;
use crate::registry::{Leadership, Registry};
use crate::storage::types::{RaftId, SnapshotMeta, TypeConfig};
use crate::storage::{GroupIdentity, SNAPSHOT_BYTES_MAX};
use openraft::raft::AppendEntriesRequest;
use openraft::vote::RaftLeaderId;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock};

/// The server side of the peers' connections.
pub(crate) struct Service {
    pub(crate) forming: Arc<Forming>,
    /// The group, once this node is in one.
    pub(crate) group: RwLock<Option<Arc<Group>>>,
}

/// A connection that was accepted.
pub(crate) enum Session {
    /// A node that looks for its group.
    Stranger,
    /// A member that addressed this node by its raft id.
    Member {
        id: RaftId,
        group: Arc<Group>,
        snapshot: Mutex<Pieces>,
    },
}

/// The reason why a connection is not accepted.
enum Objection {
    /// The peer may try again soon.
    NotYet(String),
    /// The cluster, the receiver or the version is wrong.
    Refuse(String),
    /// The sender must stop: it is not the node it claims to be, and an operator has to
    /// investigate.
    Condemn(String),
}

impl Service {
    pub(crate) fn group(&self) -> Option<Arc<Group>> {
        read(&self.group).clone()
    }

    fn accept(&self, hello: &Hello) -> Result<Session, Objection> {
        let own = &self.forming.options;
        message_checks::hello(hello).map_err(Objection::Refuse)?;
        if hello.version != MESSAGES_VERSION {
            return Err(Objection::Refuse(format!(
                "it speaks version {}, this node {MESSAGES_VERSION}",
                hello.version
            )));
        }
        if hello.from.environment != own.environment {
            return Err(Objection::Refuse(format!(
                "it is of environment {}, this node of {}",
                shown(&hello.from.environment),
                own.environment
            )));
        }
        match (hello.to, self.group()) {
            (None, _) => Ok(Session::Stranger),
            (Some(_), None) => Err(Objection::NotYet(format!(
                "{} is starting or stopping",
                own.node_id
            ))),
            (Some(meant), Some(group)) => self.accept_member(hello, meant, group),
        }
    }

    fn accept_member(
        &self,
        hello: &Hello,
        (cluster_id, target): (u64, RaftId),
        group: Arc<Group>,
    ) -> Result<Session, Objection> {
        let node_id = &self.forming.options.node_id;
        let id = hello.from.name.raft_id();
        if cluster_id != group.peers.cluster_id() {
            return Err(Objection::Refuse(format!(
                "{node_id} is in another cluster: {:016x}",
                group.peers.cluster_id()
            )));
        }
        if target != group.raft_id() {
            return Err(Objection::Refuse(format!(
                "another incarnation of {node_id} is meant"
            )));
        }
        if id == group.raft_id() {
            return Err(Objection::Condemn(format!(
                "two processes run on copies of the data directory of {node_id}"
            )));
        }
        if group.replica.registry().is_retired(id) {
            return Err(Objection::Condemn(format!(
                "{} was replaced: empty its data directory and start it again; it rejoins \
                 by itself",
                hello.from.name
            )));
        }
        group.peers.judge(&hello.from).map_err(Objection::Condemn)?;
        Ok(Session::Member {
            id,
            group,
            snapshot: Mutex::default(),
        })
    }

    fn introduction(&self) -> Introduction {
        self.forming.image().introduction()
    }

    fn view(&self) -> GroupView {
        let options = &self.forming.options;
        GroupView {
            name: self.forming.image().name.clone(),
            environment: options.environment.clone(),
            inventory_digest: options
                .inventory
                .as_ref()
                .map(|inventory| inventory.digest()),
            founders: self.forming.group_identity().as_ref().map(founders),
        }
    }
}

/// Returns the founding pairs in the form that is sent to peers.
pub(crate) fn founders(group: &GroupIdentity) -> Vec<(NodeName, String)> {
    group
        .founders
        .iter()
        .map(|(node_id, incarnation, address)| {
            (
                NodeName {
                    node_id: node_id.clone(),
                    incarnation: *incarnation,
                },
                address.clone(),
            )
        })
        .collect()
}

impl PeerService for Service {
    type Session = Session;

    fn greet(&self, hello: &Hello) -> (Welcome, Option<Session>) {
        let objection = match self.accept(hello) {
            Ok(session) => return (Welcome::Accepted(self.introduction()), Some(session)),
            Err(objection) => objection,
        };
        let (reason, fatal) = match objection {
            Objection::NotYet(reason) => return (Welcome::NotYet { reason }, None),
            Objection::Refuse(reason) => (reason, false),
            Objection::Condemn(reason) => (reason, true),
        };
        self.forming.refusals.note(&hello.from.name, &reason);
        (Welcome::Refused { reason, fatal }, None)
    }

    fn guests(&self) -> &Guests {
        &self.forming.guests
    }

    fn is_guest(&self, session: &Session) -> bool {
        matches!(session, Session::Stranger)
    }

    fn awake(&self, session: &Session, opened_epoch: u64) -> bool {
        let still_the_group = match session {
            Session::Stranger => true,
            Session::Member { group, .. } => {
                self.group().is_some_and(|now| Arc::ptr_eq(&now, group))
            }
        };
        still_the_group && self.forming.options.beat.runs(opened_epoch)
    }

    async fn serve(self: Arc<Self>, session: Arc<Session>, request: Request) -> Answer {
        match (&*session, request) {
            (_, Request::Look) => Answer::Look(self.view()),
            (_, Request::Join(wish)) => Answer::Join(match self.group() {
                Some(group) => handle_join::take_wish(&group, wish).await,
                None => JoinAnswer::Refused(format!(
                    "{} is in no group yet",
                    self.forming.options.node_id
                )),
            }),
            (Session::Stranger, _) => Answer::Failed("only a member may ask this".to_owned()),
            (
                Session::Member {
                    id,
                    group,
                    snapshot,
                },
                request,
            ) => {
                group.peers.note_request(*id);
                serve_member(*id, group, snapshot, request).await
            }
        }
    }
}

async fn serve_member(
    from: RaftId,
    group: &Group,
    snapshot: &Mutex<Pieces>,
    request: Request,
) -> Answer {
    let failed = |error: &dyn std::fmt::Display| Answer::Failed(error.to_string());
    match request {
        Request::Vote(rpc) => group
            .raft
            .vote(rpc)
            .await
            .map_or_else(|error| failed(&error), Answer::Vote),
        Request::PreVote(rpc) => group
            .raft
            .pre_vote(rpc)
            .await
            .map_or_else(|error| failed(&error), Answer::Vote),
        Request::Append(rpc) => append(group, rpc).await,
        Request::Snapshot(chunk) => take_chunk(from, group, snapshot, *chunk).await,
        Request::Transfer(rpc) => group
            .raft
            .handle_transfer_leader(rpc)
            .await
            .map_or_else(|error| failed(&error), Answer::Transfer),
        Request::ReadIndex(vote) => Answer::ReadIndex(match group.leads() {
            true => read_index::confirm_for(group, from, vote).await,
            false => Err(format!("{} does not lead", group.options.node_id)),
        }),
        Request::Forward(forwarded) => {
            Answer::Forward(proposer::take_forwarded(group, forwarded).await)
        }
        Request::Pulse(theirs) => {
            let own = peer_status::own(group);
            group.peers.note_applied(from, theirs.applied, own.applied);
            group.replica.evidence().note_committed(theirs.applied);
            Answer::Pulse(own)
        }
        Request::Look | Request::Join(_) => Answer::Failed("answered elsewhere".to_owned()),
    }
}

async fn append(group: &Group, rpc: AppendEntriesRequest<TypeConfig>) -> Answer {
    if let Err(reason) = message_checks::append(&rpc) {
        return Answer::Failed(reason);
    }
    // Note this before the entries are on disk, which may take long: the leader's statements about
    // its log and its commits are valid regardless of this node's disk.
    note_evidence(group, &rpc);
    if !rpc.entries.is_empty()
        && let Err(reason) = disk_takes_more(group)
    {
        return Answer::Failed(reason);
    }
    group
        .raft
        .append_entries(rpc)
        .await
        .map_or_else(|error| Answer::Failed(error.to_string()), Answer::Append)
}

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

fn disk_takes_more(group: &Group) -> Result<(), String> {
    match group.disk_low.load(Ordering::Relaxed) {
        true => Err(format!("the disk of {} is full", group.options.node_id)),
        false => Ok(()),
    }
}

async fn take_chunk(
    from: RaftId,
    group: &Group,
    buffer: &Mutex<Pieces>,
    mut chunk: SnapshotChunk,
) -> Answer {
    let gathered = disk_takes_more(group).and_then(|()| gather(&mut lock(buffer), &mut chunk));
    let pieces = match gathered {
        Ok(None) => return Answer::Snapshot(None),
        Ok(Some(pieces)) => pieces,
        Err(reason) => return Answer::Failed(reason),
    };
    let bytes = pieces.bytes;
    let registry = match restore(group, &chunk.meta, pieces).await {
        Ok(registry) => registry,
        Err(reason) => {
            let reason = format!(
                "{} does not take the snapshot: {reason}",
                group.options.node_id
            );
            group.peers.complain_of(from, &reason);
            return Answer::Failed(reason);
        }
    };
    tracing::info!(
        target: log_target::SERVICE,
        bytes, "installing a snapshot from the leader"
    );
    let snapshot = RaftSnapshot {
        meta: chunk.meta,
        snapshot: SnapshotBody::Restored(registry),
    };
    match group.raft.install_full_snapshot(chunk.vote, snapshot).await {
        Ok(response) => Answer::Snapshot(Some(response.vote)),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

/// The pieces of a snapshot received so far.
#[derive(Default)]
pub(super) struct Pieces {
    pieces: Vec<Vec<u8>>,
    bytes: u64,
}

/// Appends a piece to the earlier ones. Returns the whole snapshot once the last piece is there.
fn gather(buffer: &mut Pieces, chunk: &mut SnapshotChunk) -> Result<Option<Pieces>, String> {
    if chunk.offset == 0 {
        *buffer = Pieces::default();
    }
    if chunk.offset != buffer.bytes {
        let next = buffer.bytes;
        return Err(format!("a piece at {} where {next} was next", chunk.offset));
    }
    let data = std::mem::take(&mut chunk.data);
    if buffer.bytes.saturating_add(data.len() as u64) > SNAPSHOT_BYTES_MAX {
        return Err(format!("it has over {SNAPSHOT_BYTES_MAX} bytes"));
    }
    message_checks::snapshot_meta(&chunk.meta)?;
    buffer.bytes += data.len() as u64;
    buffer.pieces.push(data);
    Ok(chunk.last.then(|| std::mem::take(buffer)))
}

/// Decodes and checks a whole snapshot, because openraft ends the process when a snapshot cannot be
/// installed.
async fn restore(
    group: &Group,
    meta: &SnapshotMeta,
    pieces: Pieces,
) -> Result<Box<Registry>, String> {
    let store = group.store().clone();
    let environment = group.options.environment.clone();
    let last = meta.last_log_id.map_or(0, |id| id.index);
    let read = move || {
        let snapshots = store.snapshots();
        if !snapshots
            .have_room(pieces.bytes)
            .map_err(|error| error.to_string())?
        {
            return Err(format!(
                "the disk has no room for its {} bytes",
                pieces.bytes
            ));
        }
        let registry = Registry::from_pieces(pieces.pieces.into_iter());
        let registry = registry.map_err(|error| error.to_string())?;
        if registry.environment() != environment {
            let other = shown(registry.environment());
            return Err(format!("it is of environment {other}"));
        }
        match registry.applied_index() == last {
            true => Ok(Box::new(registry)),
            false => Err(format!(
                "it holds the state at log index {}, and says {last}",
                registry.applied_index()
            )),
        }
    };
    let work = group.store().work();
    work.run(read).await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests;
