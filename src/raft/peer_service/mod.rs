//! The handling of requests from peers: which connections are accepted, and how each request is
//! served. `sender_certificate` checks what the certificate of a peer proves, `member_requests`
//! serves members, and `snapshot_chunks` receives snapshots.

mod member_requests;
mod sender_certificate;
mod snapshot_chunks;

use super::bootstrap::group_discovery::Bootstrap;
use super::group::Group;
use super::membership::handle_join;
use super::transport::identity::NodeIdentity;
use super::transport::{
    GroupInfo, Hello, HelloReply, JoinResponse, MESSAGES_VERSION, NonMembers, PeerIdentity,
    PeerProof, PeerSecurity, PeerService, Request, Response, message_checks,
};
use crate::audit::{AUDIT_TARGET, PEER};
use crate::locks::read;
use crate::model::shown;
use crate::storage::GroupIdentity;
use crate::storage::types::RaftId;
use member_requests::serve_member;
use sender_certificate::UnprovenSender;
use snapshot_chunks::ChunkAssembler;
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
        /// The only node in whose name the peer may ask to join. `None` if peers do not prove which
        /// node they are.
        proven: Option<RaftId>,
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
            let demanded = match own.security {
                PeerSecurity::Certificates(_) => {
                    "by a certificate which node it is, as demanded by"
                }
                PeerSecurity::Keys { .. } | PeerSecurity::Off => "that it has the shared secret of",
            };
            return Err(Rejection::Refused(format!(
                "it has not proved {demanded} {}",
                own.node_id
            )));
        }
        self.check_certificate(hello, proof)
            .map_err(|unproven| Rejection::Refused(unproven.to_string()))?;
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
            (None, _) => Ok(PeerSession::NonMember {
                is_plain,
                proven: match proof {
                    PeerProof::Certificate(_) => Some(hello.from.name.raft_id()),
                    PeerProof::Plain | PeerProof::Key(_) => None,
                },
            }),
            (Some(_), None) => Err(Rejection::Retry(format!(
                "{} is starting or stopping",
                own.node_id
            ))),
            (Some(meant), Some(group)) => self.accept_member(hello, is_plain, meant, group),
        }
    }

    /// Checks that the certificate of a peer, if it has one, names the host of the node that the
    /// peer claims to be.
    fn check_certificate(&self, hello: &Hello, proof: &PeerProof) -> Result<(), UnprovenSender> {
        let PeerProof::Certificate(certificate) = proof else {
            return Ok(());
        };
        let (own, claimed) = (&self.bootstrap.options, &hello.from.name.node_id);
        sender_certificate::check(own, self.group().as_deref(), claimed, certificate.hosts())
    }

    /// Returns what a peer has proved, for the audit log. Without a proof, the name in the hello is
    /// only a claim.
    fn principal(&self, hello: &Hello, proof: &PeerProof) -> Option<String> {
        match proof {
            PeerProof::Certificate(certificate)
                if self.check_certificate(hello, proof).is_err() =>
            {
                Some(format!("certificate:{}", certificate.hosts()))
            }
            PeerProof::Key(_) | PeerProof::Certificate(_) => {
                Some(format!("peer:{}", shown(&hello.from.name.node_id)))
            }
            PeerProof::Plain => None,
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
                if let Some(principal) = self.principal(hello, proof) {
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
        let principal = self.principal(hello, proof);
        self.bootstrap
            .rejections
            .log(&hello.from.name, principal, &reason);
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
                PeerSession::NonMember { is_plain: true, .. }
                | PeerSession::Member { is_plain: true, .. },
                Request::Join(_),
            ) => Response::Join(JoinResponse::Refused(
                "a node without a data directory must prove that it has the shared secret: set it \
                 there"
                    .to_owned(),
            )),
            // A member forwards the requests of others.
            (
                PeerSession::NonMember {
                    proven: Some(id), ..
                },
                Request::Join(request),
            ) if request.name.raft_id() != *id => Response::Join(JoinResponse::Refused(
                "a node can ask to join only in its own name".to_owned(),
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

#[cfg(test)]
mod tests;
