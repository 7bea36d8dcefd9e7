//! The façade through which the rest of the program uses consensus.

use super::bootstrap::group_discovery::Bootstrap;
use super::consensus::ordered_write::{self, RegisteredCheck, RequestedWrite};
use super::consensus::static_write;
use super::error::{RaftError, Unavailable, WriteError};
use super::group::Group;
use super::health::{explain, unavailable_reason};
use super::lookup_result::{self, LookupProgress, LookupResult, coordinators, look_up};
use super::membership::transfer_leadership;
use super::options::Options;
use super::peer_service::RaftPeerService;
use super::sample::{self, NodeSample};
use super::status::{self, Status};
use super::transport::{self, PeerCredentials, PeerProof};
use super::watch::hub::Watcher;
use super::{lifecycle, log_target, report};
use crate::clock::Instant;
use crate::locks::write;
use crate::model::{
    Announcement, BadAnnouncement, CoordinatorQuery, Coordinators, Lookup, StaticService,
};
use crate::planted::{Bug, is_planted};
use crate::registry::Command;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// Time between two probes of this node's own address ([`Node::answers_at`]).
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// A node that is a member of the group, or that waits for its group to form.
///
/// Cheap to clone. Every method may be called before the group is formed. A method that needs the
/// group returns an error that says what the node is waiting for.
#[derive(Clone)]
pub struct Node {
    service: Arc<RaftPeerService>,
    /// The reason why the process must end, once there is one.
    fatal: Arc<watch::Sender<Option<RaftError>>>,
    stop: Arc<watch::Sender<bool>>,
}

impl Node {
    /// Loads the identity of the data directory and starts looking for the group.
    ///
    /// # Errors
    /// When the directory belongs to another node, or cannot be written.
    pub async fn start(options: Options) -> Result<Node, RaftError> {
        let bootstrap = Arc::new(Bootstrap::open(options).await?);
        let node = Node {
            service: Arc::new(RaftPeerService {
                bootstrap,
                group: RwLock::new(None),
            }),
            fatal: Arc::new(watch::Sender::new(None)),
            stop: Arc::new(watch::Sender::new(false)),
        };
        let running = node.clone();
        tokio::spawn(async move {
            if let Err(error) = lifecycle::run(&running.service, &running.stop).await {
                if matches!(error, RaftError::Diverged(_))
                    && let Err(unmarked) = running.service.bootstrap.mark_diverged().await
                {
                    tracing::error!(
                        target: log_target::NODE,
                        "the data directory could not be marked as diverged: {unmarked}"
                    );
                }
                running.fatal.send_replace(Some(error));
            }
        });
        Ok(node)
    }

    /// Resolves when the process must end, with the reason.
    pub async fn fatal(&self) -> RaftError {
        let mut fatal = self.fatal.subscribe();
        let reason = fatal.wait_for(Option::is_some).await;
        match reason.ok().and_then(|reason| reason.clone()) {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }

    /// Performs a linearizable lookup.
    ///
    /// # Errors
    /// When the group is not formed yet, or when the lookup cannot be served by the deadline, for
    /// example because there is no quorum.
    pub async fn lookup(
        &self,
        lookup: &Lookup,
        deadline: Instant,
    ) -> Result<LookupResult, Unavailable> {
        Ok(look_up(&*self.confirmed(deadline).await?, lookup))
    }

    /// Performs a lookup in this node's current state, which may be stale.
    ///
    /// # Errors
    /// Before the group is formed.
    pub fn lookup_stale(&self, lookup: &Lookup) -> Result<LookupResult, Unavailable> {
        Ok(look_up(&*self.group()?, lookup))
    }

    /// Performs a linearizable read of the coordinators. Returns them, the most recently joined
    /// first, with the log index of the state that was read.
    ///
    /// # Errors
    /// The errors of [`Node::lookup`].
    pub async fn coordinators(
        &self,
        query: &CoordinatorQuery,
        deadline: Instant,
    ) -> Result<(Coordinators, u64), Unavailable> {
        Ok(coordinators(&*self.confirmed(deadline).await?, query))
    }

    /// Returns the coordinators in this node's current state, which may be stale.
    ///
    /// # Errors
    /// Before the group is formed.
    pub fn coordinators_stale(
        &self,
        query: &CoordinatorQuery,
    ) -> Result<(Coordinators, u64), Unavailable> {
        Ok(coordinators(&*self.group()?, query))
    }

    /// Creates a watcher that follows these lookups from now on.
    ///
    /// # Errors
    /// Before the group is formed.
    pub fn watch(&self, lookups: &[Lookup]) -> Result<Watcher, Unavailable> {
        Ok(self.group()?.replica.watch_hub().watch(lookups))
    }

    /// Returns this node's applied index and the index of the last change of a lookup. A reader
    /// that waits for a change needs only these indexes, not the rendered bytes.
    ///
    /// # Errors
    /// Before the group is formed.
    pub fn progress(&self, lookup: &Lookup) -> Result<LookupProgress, Unavailable> {
        let group = self.group()?;
        let registry = group.replica.registry();
        Ok(LookupProgress {
            index: registry.applied_index(),
            changed_index: registry.changed_index(lookup),
        })
    }

    /// Commits an announcement, or a renewal if this node's registry already has the same
    /// announcement. Returns the log index of the command.
    ///
    /// # Errors
    /// When the write was certainly not applied, or when it may have been applied.
    pub async fn announce(
        &self,
        announcement: Announcement,
        deadline: Instant,
    ) -> Result<u64, WriteError> {
        let digest = announcement.digest();
        let node_id = announcement.node_id.as_str();
        self.renew_or_announce(node_id, digest, || Ok(announcement.clone()), None, deadline)
            .await
    }

    /// Commits an announcement identified by its digest, like [`Node::announce`]. The announcement
    /// itself is requested only when the registry does not have it. `check` decides whether the
    /// client may write the node.
    ///
    /// # Errors
    /// The errors of [`Node::announce`]. An announcement that cannot be read is not applied.
    pub async fn renew_or_announce(
        &self,
        node_id: &str,
        digest: u128,
        announcement: impl FnMut() -> Result<Announcement, BadAnnouncement> + Send,
        check: Option<RegisteredCheck<'_>>,
        deadline: Instant,
    ) -> Result<u64, WriteError> {
        let request = RequestedWrite::Announce {
            node_id,
            digest,
            announcement,
        };
        ordered_write::write(&*self.group_to_write()?, request, check, deadline).await
    }

    /// Commits the withdrawal of a node, and returns the log index of the withdrawal. `check` is as
    /// in [`Node::renew_or_announce`].
    ///
    /// # Errors
    /// The errors of [`Node::announce`].
    pub async fn withdraw(
        &self,
        node_id: String,
        check: Option<RegisteredCheck<'_>>,
        deadline: Instant,
    ) -> Result<u64, WriteError> {
        type Nothing = fn() -> Result<Announcement, BadAnnouncement>;
        let request: RequestedWrite<'_, Nothing> = RequestedWrite::Withdraw { node_id: &node_id };
        ordered_write::write(&*self.group_to_write()?, request, check, deadline).await
    }

    /// Commits a static service, whose id the caller generated, and returns the log index of the
    /// command.
    ///
    /// # Errors
    /// The errors of [`Node::announce`].
    pub async fn add_static(
        &self,
        service: StaticService,
        deadline: Instant,
    ) -> Result<u64, WriteError> {
        static_write::write(
            &*self.group_to_write()?,
            Command::AddStatic(service),
            deadline,
        )
        .await
    }

    /// Commits the removal of a static service, and returns the log index of the removal.
    ///
    /// # Errors
    /// The errors of [`Node::announce`].
    pub async fn remove_static(&self, id: String, deadline: Instant) -> Result<u64, WriteError> {
        let command = Command::RemoveStatic { id };
        static_write::write(&*self.group_to_write()?, command, deadline).await
    }

    /// Returns a property that a node has announced, from this node's own state.
    pub fn announced_property(&self, node_id: &str, name: &str) -> Option<String> {
        lookup_result::announced_property(&*self.service.group()?, node_id, name)
    }

    /// Returns this node's knowledge of the group, without waiting and even without a quorum.
    pub fn status(&self) -> Status {
        status::of(&self.service.bootstrap, self.service.group().as_deref())
    }

    /// Reads the values that metrics show, even without a quorum.
    pub async fn sample(&self) -> NodeSample {
        sample::of(&self.service.bootstrap, self.service.group().as_deref()).await
    }

    /// Returns a human-readable line about each part of consensus.
    pub async fn report(&self) -> Vec<String> {
        report::lines(&self.service.bootstrap, self.service.group().as_deref()).await
    }

    /// Checks whether this node is a voter and has served a read completely in the last 2 s.
    ///
    /// # Errors
    /// The reason why this node is not ready.
    pub fn ready(&self) -> Result<(), Unavailable> {
        if *self.stop.borrow() {
            return Err(Unavailable::Stopping);
        }
        let group = self.group()?;
        if !group.view().borrow().is_voter(group.raft_id()) {
            return Err(Unavailable::NotVoter);
        }
        match group.serves() {
            true => Ok(()),
            false => Err(Unavailable::NotServing(unavailable_reason(&group))),
        }
    }

    /// Returns whether this process answers at an address within a time limit. Also returns `true`
    /// if the host name in the address does not resolve, since such an address cannot be tested.
    pub async fn answers_at(&self, address: &str, limit: Duration) -> bool {
        let bootstrap = &self.service.bootstrap;
        let own = bootstrap.local_member().name.clone();
        let answered = async {
            while !matches!(bootstrap.probe(address).await, Ok(view) if view.name == own) {
                tokio::time::sleep(PROBE_INTERVAL).await;
            }
        };
        tokio::time::timeout(limit, answered).await.is_ok()
            || bootstrap.dialer().is_unknown(address)
    }

    /// Serves a peer's connection until it closes, or until the proof that the peer has given is
    /// withdrawn. `opened_epoch` is the epoch of the
    /// [`PauseDetector`](crate::clock::PauseDetector) when the connection was opened.
    pub async fn serve_peer<IO>(&self, io: IO, proof: PeerProof, opened_epoch: u64)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let security = &self.service.bootstrap.options.security;
        tokio::select! {
            () = transport::serve(self.service.clone(), io, &proof, opened_epoch) => {}
            () = security.withdrawn(&proof) => {}
        }
    }

    /// Returns the credentials with which peers prove who they are. Returns `None` if peers prove
    /// nothing.
    pub fn peer_credentials(&self) -> Option<PeerCredentials> {
        self.service.bootstrap.options.security.credentials()
    }

    /// Returns whether peers that prove nothing are accepted.
    pub fn accepts_plain_peers(&self) -> bool {
        self.service.bootstrap.options.security.accepts_plain()
    }

    /// Makes [`Node::ready`] fail, and transfers the leadership to another voter if this node
    /// leads. The caller then calls [`Node::stop`].
    pub async fn transfer_leadership(&self) {
        self.stop.send_replace(true);
        if let Some(group) = self.service.group() {
            let led = group.leads();
            let another_leads = transfer_leadership::run(&group).await;
            // A group of one has no other voter.
            let others = group.view().borrow().voters() > 1;
            if led && others && !another_leads {
                tracing::warn!(
                    target: log_target::NODE,
                    "no other voter could take over the leadership"
                );
            }
        }
    }

    /// Stops the group's tasks and closes the disk.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        // Reject peers before the group ends: a request to an ended group would appear as an error
        // in the server log.
        let group = write(&self.service.group).take();
        self.service.bootstrap.note_stopping();
        if let Some(group) = group {
            group.shut_down().await;
        }
        self.service.bootstrap.options.store.clone().close().await;
    }

    /// Returns the group, for simulations; see `probe`.
    #[cfg(feature = "sim")]
    pub(crate) fn group_now(&self) -> Option<Arc<Group>> {
        self.service.group()
    }

    /// Returns the opened data directory, for simulations; see `probe`.
    #[cfg(feature = "sim")]
    pub(crate) fn store(&self) -> &crate::storage::Store {
        &self.service.bootstrap.options.store
    }

    /// Returns the parts behind the façade, once there is a group.
    #[cfg(test)]
    pub(crate) fn parts_now(&self) -> Option<(Arc<Group>, Arc<RaftPeerService>)> {
        Some((self.service.group()?, self.service.clone()))
    }

    /// Returns the group, or the reason why this node is in none yet.
    fn group(&self) -> Result<Arc<Group>, Unavailable> {
        self.service
            .group()
            .ok_or_else(|| Unavailable::NoGroup(self.service.bootstrap.waits_for()))
    }

    /// Returns the group once this node has applied everything acknowledged before the call.
    async fn confirmed(&self, deadline: Instant) -> Result<Arc<Group>, Unavailable> {
        let group = self.group()?;
        if is_planted(Bug::LocalRead) {
            return Ok(group);
        }
        match group.confirm_applied(deadline).await {
            Ok(()) => Ok(group),
            Err(error) => Err(explain(&group, error)),
        }
    }

    /// Returns the group for a write. Without a group, the write is certainly not applied.
    fn group_to_write(&self) -> Result<Arc<Group>, WriteError> {
        self.group().map_err(WriteError::NotApplied)
    }
}

#[cfg(test)]
mod tests;
