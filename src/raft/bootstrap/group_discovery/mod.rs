//! Discovery of the group of a node that has none.
//!
//! The node founds a group, adopts a group that lists the node as a founder, or asks to join
//! another group (docs/decisions/0001).

use super::decision::{Decision, decide};
use super::error::{NotJoined, ProbeError};
use super::rejections::Rejections;
use crate::clock::{self, Instant};
use crate::locks::{read, write};
use crate::model::{Inventory, InventoryEntry};
use crate::raft::error::{Divergence, IdentityError, RaftError};
use crate::raft::log_target;
use crate::raft::options::Options;
use crate::raft::transport::identity::{NodeIdentity, cluster_id};
use crate::raft::transport::local_member::LocalMember;
use crate::raft::transport::{
    CallError, Dialer, GroupInfo, Hello, JoinRequest, JoinResponse, NonMembers, PeerClient,
    Request, Response, message_checks,
};
use crate::storage::rng::random_u64;
use crate::storage::{GroupIdentity, Identity};
use openraft::vote::RaftLeaderId;
use std::sync::RwLock;
use std::time::Duration;
use tokio::sync::watch;

/// Time between two rounds of queries to the peers. A cold start of three nodes takes one or two
/// rounds.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// Maximum time to wait for a peer's answer.
const PROBE_TIMEOUT: Duration = Duration::from_millis(400);
/// Minimum time between two log lines about the reason to wait.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Maximum number of characters of a peer's reason that are kept and shown. No node gives a longer
/// reason.
const SHOWN_REASON_CHARS_MAX: usize = 1_000;

/// The state that a node has both before and while it is in a group.
pub(crate) struct Bootstrap {
    pub(crate) options: Options,
    /// The connections from nodes that are not members.
    pub(crate) non_members: NonMembers,
    dialer: Dialer,
    local_member: RwLock<std::sync::Arc<LocalMember>>,
    group: RwLock<Option<GroupIdentity>>,
    /// The reason why this node is in no group yet, or a note that it is stopping.
    waits_for: watch::Sender<String>,
    pub(crate) rejections: Rejections,
}

impl Bootstrap {
    /// Loads the identity of the data directory, or creates one and makes it durable before any
    /// peer learns of it.
    ///
    /// # Errors
    /// When the directory belongs to another node or another environment, or cannot be written.
    pub(crate) async fn open(options: Options) -> Result<Bootstrap, RaftError> {
        let identity = match options.store.identity() {
            Some(identity) => identity,
            None => {
                let fresh = Identity {
                    node_id: options.node_id.clone(),
                    incarnation: random_u64()?,
                    environment: options.environment.clone(),
                    group: None,
                    diverged: false,
                };
                options.store.save_identity(&fresh).await?;
                fresh
            }
        };
        check_identity(&options, &identity)?;
        let local_member = LocalMember {
            name: NodeIdentity {
                node_id: identity.node_id,
                incarnation: identity.incarnation,
            },
            environment: identity.environment,
            process: random_u64()?,
            last_log_id: options.store.reach_at_open(),
            vote_term: options
                .store
                .vote()
                .map_or(0, |vote| vote.leader_id().term()),
        };
        Ok(Bootstrap {
            dialer: options.dialer(),
            non_members: NonMembers::default(),
            options,
            local_member: RwLock::new(std::sync::Arc::new(local_member)),
            group: RwLock::new(identity.group),
            waits_for: watch::Sender::new("starting".to_owned()),
            rejections: Rejections::default(),
        })
    }

    pub(crate) fn local_member(&self) -> std::sync::Arc<LocalMember> {
        read(&self.local_member).clone()
    }

    /// Returns the dialer for all peers of this process. Its clones share the resolved names.
    pub(crate) fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    pub(crate) fn group_identity(&self) -> Option<GroupIdentity> {
        read(&self.group).clone()
    }

    /// Returns the reason why this node is in no group yet, or a note that it is stopping.
    pub(crate) fn waits_for(&self) -> String {
        self.waits_for.borrow().clone()
    }

    /// Reports to all later queries that this node is stopping.
    pub(crate) fn note_stopping(&self) {
        self.waits_for
            .send_replace("this node is stopping".to_owned());
    }

    /// Discovers this node's group. Asks the peers until this node founds, adopts or joins a group.
    /// The identity of the group is on disk when this method returns.
    ///
    /// # Errors
    /// When the identity cannot be written.
    pub(crate) async fn discover_group(&self) -> Result<GroupIdentity, RaftError> {
        if let Some(group) = self.group_identity() {
            return Ok(group);
        }
        let Some(inventory) = self.options.inventory.clone() else {
            let own = vec![(
                self.local_member().name.clone(),
                self.options.address.clone(),
            )];
            return self.adopt_group(own, false).await;
        };
        let mut said: Option<(String, Instant)> = None;
        loop {
            let answers = self.probe_all(&inventory).await;
            let reason = match decide(
                &self.local_member().name,
                &self.options.address,
                &inventory,
                &answers,
            ) {
                Decision::Form(pairs) => return self.adopt_group(pairs, false).await,
                Decision::Join(addresses) => match self.ask_to_join(&addresses).await {
                    Ok(pairs) => return self.adopt_group(pairs, true).await,
                    Err(error) => error.to_string(),
                },
                Decision::Wait(reason) => reason,
            };
            self.log_reason(&reason, &mut said);
            tokio::time::sleep(PROBE_INTERVAL).await;
        }
    }

    /// Publishes the reason why this node waits, and logs it from time to time.
    fn log_reason(&self, reason: &str, said: &mut Option<(String, Instant)>) {
        let now = clock::now();
        self.waits_for.send_replace(reason.to_owned());
        let first_wait = said.is_none();
        let due = said
            .as_ref()
            .is_none_or(|(_, at)| now.duration_since(*at) > LOG_INTERVAL);
        if due {
            // The first wait is not logged as a warning, because peers that start together wait
            // briefly.
            match first_wait {
                true => tracing::info!(target: log_target::FORMING, "waiting: {reason}"),
                false => tracing::warn!(target: log_target::FORMING, "still waiting: {reason}"),
            }
            *said = Some((reason.to_owned(), now));
        }
    }

    /// Adopts a group. Writes the group to the identity on disk before this node reports it to
    /// peers.
    async fn adopt_group(
        &self,
        pairs: Vec<(NodeIdentity, String)>,
        joined_late: bool,
    ) -> Result<GroupIdentity, RaftError> {
        let names: Vec<NodeIdentity> = pairs.iter().map(|(name, _)| name.clone()).collect();
        let group = GroupIdentity {
            cluster_id: cluster_id(&self.options.environment, &names),
            founders: pairs
                .into_iter()
                .map(|(name, address)| (name.node_id, name.incarnation, address))
                .collect(),
            joined_late,
        };
        let local_member = self.local_member();
        let identity = Identity {
            node_id: local_member.name.node_id.clone(),
            incarnation: local_member.name.incarnation,
            environment: local_member.environment.clone(),
            group: Some(group.clone()),
            diverged: false,
        };
        self.options.store.save_identity(&identity).await?;
        *write(&self.group) = Some(group.clone());
        let how = if joined_late {
            "this node joins the group"
        } else {
            "the group is formed with this node"
        };
        tracing::info!(
            target: log_target::FORMING,
            cluster = format!("{:016x}", group.cluster_id),
            "{how}"
        );
        Ok(group)
    }

    /// Marks the data directory as diverged, so that no later start opens it. The state in the
    /// directory differs from that of the group, and a restart would not change that.
    ///
    /// # Errors
    /// When the disk cannot be written.
    pub(crate) async fn mark_diverged(&self) -> std::io::Result<()> {
        let store = &self.options.store;
        match store.identity() {
            Some(identity) => {
                let marked = Identity {
                    diverged: true,
                    ..identity
                };
                store.save_identity(&marked).await
            }
            None => Ok(()),
        }
    }

    /// Empties this node's data directory and gives it a new incarnation.
    ///
    /// # Errors
    /// When the disk cannot be written.
    pub(crate) async fn reset(&self) -> Result<(), RaftError> {
        let store = &self.options.store;
        store.wipe().await?;
        let local_member = self.local_member();
        let identity = Identity {
            node_id: local_member.name.node_id.clone(),
            incarnation: random_u64()?,
            environment: local_member.environment.clone(),
            group: None,
            diverged: false,
        };
        store.save_identity(&identity).await?;
        *write(&self.group) = None;
        *write(&self.local_member) = std::sync::Arc::new(LocalMember {
            name: NodeIdentity {
                node_id: identity.node_id,
                incarnation: identity.incarnation,
            },
            environment: identity.environment,
            process: local_member.process,
            last_log_id: None,
            vote_term: 0,
        });
        Ok(())
    }

    /// Asks every other node of the inventory for its view of its group.
    async fn probe_all(
        &self,
        inventory: &Inventory,
    ) -> Vec<(InventoryEntry, Result<GroupInfo, ProbeError>)> {
        let probes = inventory
            .entries
            .iter()
            .filter(|entry| entry.node_id != self.options.node_id)
            .map(|entry| async { (entry.clone(), self.probe(&entry.address).await) });
        futures_util::future::join_all(probes).await
    }

    /// Asks the node at an address for its view of the group.
    pub(crate) async fn probe(&self, address: &str) -> Result<GroupInfo, ProbeError> {
        match self.ask(address, Request::Probe).await? {
            Response::Probe(view) => {
                message_checks::group_info(&view)?;
                Ok(view)
            }
            _ => Err(ProbeError::Unexpected),
        }
    }

    /// Sends one request to the node at an address, as a node that is not a member.
    async fn ask(&self, address: &str, request: Request) -> Result<Response, CallError> {
        let hello = Hello::non_member(self.local_member().identity());
        let client = PeerClient::new(address, self.dialer());
        client.call(hello, request, PROBE_TIMEOUT).await
    }

    /// Asks the group at these addresses to let this node join. Returns the founding pairs of the
    /// group.
    ///
    /// # Errors
    /// The reason why the group refuses this node, or does not accept it yet.
    pub(crate) async fn ask_to_join(
        &self,
        addresses: &[String],
    ) -> Result<Vec<(NodeIdentity, String)>, NotJoined> {
        let request = JoinRequest {
            name: self.local_member().name.clone(),
            address: self.options.address.clone(),
            environment: self.options.environment.clone(),
        };
        let mut reason = NotJoined::NoAnswer;
        for address in addresses {
            match self.ask(address, Request::Join(request.clone())).await {
                Ok(Response::Join(
                    JoinResponse::Pending { founders, .. } | JoinResponse::Voter { founders, .. },
                )) => match message_checks::founders(&founders) {
                    Ok(()) => return Ok(founders),
                    Err(source) => {
                        reason = NotJoined::Invalid {
                            address: address.clone(),
                            source,
                        };
                    }
                },
                Ok(Response::Join(JoinResponse::Refused(why))) => {
                    let why = why.chars().take(SHOWN_REASON_CHARS_MAX).collect();
                    reason = NotJoined::Refused(why);
                }
                Ok(_) => {}
                Err(error) => reason = error.into(),
            }
        }
        Err(reason)
    }
}

/// Checks that the data directory belongs to this node and has not diverged.
fn check_identity(options: &Options, identity: &Identity) -> Result<(), RaftError> {
    if identity.node_id != options.node_id {
        return Err(RaftError::Identity(IdentityError::NodeId {
            found: identity.node_id.clone(),
            own: options.node_id.clone(),
        }));
    }
    if identity.environment != options.environment {
        return Err(RaftError::Identity(IdentityError::Environment {
            found: identity.environment.clone(),
            own: options.environment.clone(),
        }));
    }
    if identity.diverged {
        return Err(RaftError::Diverged(Divergence::Earlier));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
