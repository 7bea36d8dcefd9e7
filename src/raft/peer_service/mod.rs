//! The handling of requests from peers.

mod snapshot_chunks;

use super::bootstrap::group_discovery::Forming;
use super::consensus::{proposer, read_index};
use super::group::Group;
use super::membership::handle_join;
use super::monitor::peer_status;
use super::transport::identity::NodeName;
use super::transport::{
    Answer, GroupView, Guests, Hello, Introduction, JoinAnswer, MESSAGES_VERSION, PeerService,
    Request, Welcome, message_checks,
};
use crate::locks::read;
use crate::model::shown;
use crate::registry::Leadership;
use crate::storage::GroupIdentity;
use crate::storage::types::{RaftId, TypeConfig};
use openraft::raft::AppendEntriesRequest;
use openraft::vote::RaftLeaderId;
use snapshot_chunks::{Pieces, take_chunk};
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
                "it speaks peer protocol version {}, but {} speaks version {MESSAGES_VERSION}",
                hello.version, own.node_id
            )));
        }
        if hello.from.environment != own.environment {
            return Err(Objection::Refuse(format!(
                "its environment is {}, but that of {} is {}",
                shown(&hello.from.environment),
                own.node_id,
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
                "the connection is meant for another incarnation of {node_id}"
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
                    "{} is not in a group yet",
                    self.forming.options.node_id
                )),
            }),
            (Session::Stranger, _) => {
                Answer::Failed("only a member may send this request".to_owned())
            }
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
        Request::Snapshot(chunk) => match disk_takes_more(group) {
            Ok(()) => take_chunk(from, group, snapshot, *chunk).await,
            Err(reason) => Answer::Failed(reason),
        },
        Request::Transfer(rpc) => group
            .raft
            .handle_transfer_leader(rpc)
            .await
            .map_or_else(|error| failed(&error), Answer::Transfer),
        Request::ReadIndex(vote) => Answer::ReadIndex(match group.leads() {
            true => read_index::confirm_for(group, from, vote).await,
            false => Err(format!("{} is not the leader", group.options.node_id)),
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
        Request::Look | Request::Join(_) => {
            Answer::Failed("this request is handled elsewhere".to_owned())
        }
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

#[cfg(test)]
mod tests;
