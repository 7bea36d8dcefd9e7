//! What this node answers its peers.

use super::disk::GroupIdentity;
use super::forming::Forming;
use super::group::Group;
use super::identity::NodeName;
use super::locks::{lock, read};
use super::peer::{
    Answer, GroupView, Hello, Introduction, JoinAnswer, MESSAGES_VERSION, PeerService, Request,
    SnapshotChunk, Welcome,
};
use super::types::{RaftId, TypeConfig};
use super::{membership, pulse, reads, writes};
use bytes::Bytes;
use openraft::type_config::alias::SnapshotOf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock};

/// A snapshot larger than this is not taken: four times what 100,000 services need.
const MAX_SNAPSHOT_BYTES: usize = 512 << 20;

/// The server side of the peers' connections.
pub(super) struct Service {
    pub(super) forming: Arc<Forming>,
    /// The group, once this node is in one.
    pub(super) group: RwLock<Option<Arc<Group>>>,
}

/// A connection that was let in.
pub(super) enum Session {
    /// A node that looks for its group.
    Stranger,
    /// A member, which means this node by its raft id.
    Member {
        id: RaftId,
        group: Arc<Group>,
        snapshot: Mutex<Vec<u8>>,
    },
}

/// Why a connection is not let in.
enum Objection {
    /// It may try again soon.
    NotYet(String),
    /// Wrong cluster, wrong receiver, wrong version.
    Refuse(String),
    /// The sender must stop: it is not who it says, and a person has to look.
    Condemn(String),
}

impl Service {
    pub(super) fn group(&self) -> Option<Arc<Group>> {
        read(&self.group).clone()
    }

    fn accept(&self, hello: &Hello) -> Result<Session, Objection> {
        let own = &self.forming.options;
        if hello.version != MESSAGES_VERSION {
            return Err(Objection::Refuse(format!(
                "it speaks version {}, this node {MESSAGES_VERSION}",
                hello.version
            )));
        }
        if hello.from.environment != own.environment {
            return Err(Objection::Refuse(format!(
                "it is of environment {}, this node of {}",
                hello.from.environment, own.environment
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
                "{} was replaced: empty its data directory and start it again; it rejoins by itself",
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

/// The founding pairs, as a node tells them.
pub(super) fn founders(group: &GroupIdentity) -> Vec<(NodeName, String)> {
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
        self.forming.note_refusal(&hello.from.name, &reason);
        (Welcome::Refused { reason, fatal }, None)
    }

    fn awake(&self, session: &Session, opened_epoch: u64) -> bool {
        let still_the_group = match session {
            Session::Stranger => true,
            Session::Member { group, .. } => {
                self.group().is_some_and(|now| Arc::ptr_eq(&now, group))
            }
        };
        still_the_group && self.forming.options.beat.awake(opened_epoch)
    }

    async fn serve(self: Arc<Self>, session: Arc<Session>, request: Request) -> Answer {
        match (&*session, request) {
            (_, Request::Look) => Answer::Look(self.view()),
            (_, Request::Join(wish)) => Answer::Join(match self.group() {
                Some(group) => membership::take_wish(&group, wish).await,
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
    snapshot: &Mutex<Vec<u8>>,
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
        Request::Append(rpc)
            if !rpc.entries.is_empty() && group.disk_low.load(Ordering::Relaxed) =>
        {
            Answer::Failed(format!("the disk of {} is full", group.options.node_id))
        }
        Request::Append(rpc) => group
            .raft
            .append_entries(rpc)
            .await
            .map_or_else(|error| failed(&error), Answer::Append),
        Request::Snapshot(chunk) => take_chunk(group, snapshot, *chunk).await,
        Request::Transfer(rpc) => group
            .raft
            .handle_transfer_leader(rpc)
            .await
            .map_or_else(|error| failed(&error), Answer::Transfer),
        Request::ReadIndex(vote) => Answer::ReadIndex(match group.leads() {
            true => reads::confirm_for(group, from, vote).await,
            false => Err(format!("{} does not lead", group.options.node_id)),
        }),
        Request::Forward(forwarded) => {
            Answer::Forward(writes::take_forwarded(group, forwarded).await)
        }
        Request::Pulse(theirs) => {
            let own = pulse::own(group);
            group.peers.note_applied(from, theirs.applied, own.applied);
            Answer::Pulse(own)
        }
        Request::Look | Request::Join(_) => Answer::Failed("answered elsewhere".to_owned()),
    }
}

async fn take_chunk(group: &Group, buffer: &Mutex<Vec<u8>>, chunk: SnapshotChunk) -> Answer {
    let complete = {
        let mut buffer = lock(buffer);
        if chunk.offset == 0 {
            buffer.clear();
        }
        if chunk.offset != buffer.len() as u64 {
            return Answer::Failed(format!(
                "a piece at {} where {} was next",
                chunk.offset,
                buffer.len()
            ));
        }
        if buffer.len() + chunk.data.len() > MAX_SNAPSHOT_BYTES {
            return Answer::Failed(format!("a snapshot of over {MAX_SNAPSHOT_BYTES} bytes"));
        }
        buffer.extend_from_slice(&chunk.data);
        chunk.last.then(|| std::mem::take(&mut *buffer))
    };
    let Some(data) = complete else {
        return Answer::Snapshot(None);
    };
    tracing::info!(bytes = data.len(), "installing a snapshot from the leader");
    let snapshot = SnapshotOf::<TypeConfig, Bytes> {
        meta: chunk.meta,
        snapshot: Bytes::from(data),
    };
    match group.raft.install_full_snapshot(chunk.vote, snapshot).await {
        Ok(response) => Answer::Snapshot(Some(response.vote)),
        Err(error) => Answer::Failed(error.to_string()),
    }
}
