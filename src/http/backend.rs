//! The interface between the endpoints and the cluster.

use crate::clock::Instant;
use crate::model::{
    Announcement, BadAnnouncement, CoordinatorQuery, Coordinators, Lookup, StaticService,
};
use crate::raft::{
    LookupProgress, LookupResult, Node, NodeSample, PeerCredentials, PeerProof, RegisteredCheck,
    Status, Unavailable, Watcher, WriteError,
};
use std::future::Future;
use tokio::io::{AsyncRead, AsyncWrite};

/// The cluster as the endpoints see it: [`Node`] in the server, a bare registry in the tests.
///
/// - Each method corresponds to the method of the same name on [`Node`].
/// - A read or a write completes at most about 20 ms after its deadline, so callers add no timeout
///   of their own.
pub trait Backend: Clone + Send + Sync + 'static {
    /// See [`Node::lookup`].
    fn lookup(
        &self,
        lookup: &Lookup,
        deadline: Instant,
    ) -> impl Future<Output = Result<LookupResult, Unavailable>> + Send;

    /// See [`Node::lookup_stale`].
    ///
    /// # Errors
    /// Fails if the group is not formed yet.
    fn lookup_stale(&self, lookup: &Lookup) -> Result<LookupResult, Unavailable>;

    /// See [`Node::coordinators`].
    fn coordinators(
        &self,
        query: &CoordinatorQuery,
        deadline: Instant,
    ) -> impl Future<Output = Result<(Coordinators, u64), Unavailable>> + Send;

    /// See [`Node::coordinators_stale`].
    ///
    /// # Errors
    /// Fails if the group is not formed yet.
    fn coordinators_stale(
        &self,
        query: &CoordinatorQuery,
    ) -> Result<(Coordinators, u64), Unavailable>;

    /// See [`Node::watch`].
    ///
    /// # Errors
    /// Fails if the group is not formed yet.
    fn watch(&self, lookups: &[Lookup]) -> Result<Watcher, Unavailable>;

    /// See [`Node::progress`].
    ///
    /// # Errors
    /// Fails if the group is not formed yet.
    fn progress(&self, lookup: &Lookup) -> Result<LookupProgress, Unavailable>;

    /// See [`Node::renew_or_announce`].
    fn renew_or_announce(
        &self,
        node_id: &str,
        digest: u128,
        announcement: impl FnMut() -> Result<Announcement, BadAnnouncement> + Send,
        check: Option<RegisteredCheck<'_>>,
        deadline: Instant,
    ) -> impl Future<Output = Result<u64, WriteError>> + Send;

    /// See [`Node::withdraw`].
    fn withdraw(
        &self,
        node_id: String,
        check: Option<RegisteredCheck<'_>>,
        deadline: Instant,
    ) -> impl Future<Output = Result<u64, WriteError>> + Send;

    /// See [`Node::add_static`].
    fn add_static(
        &self,
        service: StaticService,
        deadline: Instant,
    ) -> impl Future<Output = Result<u64, WriteError>> + Send;

    /// See [`Node::remove_static`].
    fn remove_static(
        &self,
        id: String,
        deadline: Instant,
    ) -> impl Future<Output = Result<u64, WriteError>> + Send;

    /// See [`Node::announced_property`].
    fn announced_property(&self, node_id: &str, name: &str) -> Option<String>;

    /// See [`Node::status`].
    fn status(&self) -> Status;

    /// See [`Node::sample`].
    fn sample(&self) -> impl Future<Output = NodeSample> + Send;

    /// See [`Node::ready`].
    ///
    /// # Errors
    /// Returns the reason why this node is not ready.
    fn ready(&self) -> Result<(), Unavailable>;

    /// See [`Node::peer_credentials`].
    fn peer_credentials(&self) -> Option<PeerCredentials>;

    /// See [`Node::accepts_plain_peers`].
    fn accepts_plain_peers(&self) -> bool;

    /// See [`Node::serve_peer`].
    fn serve_peer<IO>(
        &self,
        io: IO,
        proof: PeerProof,
        opened_epoch: u64,
    ) -> impl Future<Output = ()> + Send
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static;
}

impl Backend for Node {
    fn lookup(
        &self,
        lookup: &Lookup,
        deadline: Instant,
    ) -> impl Future<Output = Result<LookupResult, Unavailable>> + Send {
        Node::lookup(self, lookup, deadline)
    }

    fn lookup_stale(&self, lookup: &Lookup) -> Result<LookupResult, Unavailable> {
        Node::lookup_stale(self, lookup)
    }

    fn coordinators(
        &self,
        query: &CoordinatorQuery,
        deadline: Instant,
    ) -> impl Future<Output = Result<(Coordinators, u64), Unavailable>> + Send {
        Node::coordinators(self, query, deadline)
    }

    fn coordinators_stale(
        &self,
        query: &CoordinatorQuery,
    ) -> Result<(Coordinators, u64), Unavailable> {
        Node::coordinators_stale(self, query)
    }

    fn watch(&self, lookups: &[Lookup]) -> Result<Watcher, Unavailable> {
        Node::watch(self, lookups)
    }

    fn progress(&self, lookup: &Lookup) -> Result<LookupProgress, Unavailable> {
        Node::progress(self, lookup)
    }

    fn renew_or_announce(
        &self,
        node_id: &str,
        digest: u128,
        announcement: impl FnMut() -> Result<Announcement, BadAnnouncement> + Send,
        check: Option<RegisteredCheck<'_>>,
        deadline: Instant,
    ) -> impl Future<Output = Result<u64, WriteError>> + Send {
        Node::renew_or_announce(self, node_id, digest, announcement, check, deadline)
    }

    fn withdraw(
        &self,
        node_id: String,
        check: Option<RegisteredCheck<'_>>,
        deadline: Instant,
    ) -> impl Future<Output = Result<u64, WriteError>> + Send {
        Node::withdraw(self, node_id, check, deadline)
    }

    fn add_static(
        &self,
        service: StaticService,
        deadline: Instant,
    ) -> impl Future<Output = Result<u64, WriteError>> + Send {
        Node::add_static(self, service, deadline)
    }

    fn remove_static(
        &self,
        id: String,
        deadline: Instant,
    ) -> impl Future<Output = Result<u64, WriteError>> + Send {
        Node::remove_static(self, id, deadline)
    }

    fn announced_property(&self, node_id: &str, name: &str) -> Option<String> {
        Node::announced_property(self, node_id, name)
    }

    fn status(&self) -> Status {
        Node::status(self)
    }

    fn sample(&self) -> impl Future<Output = NodeSample> + Send {
        Node::sample(self)
    }

    fn ready(&self) -> Result<(), Unavailable> {
        Node::ready(self)
    }

    fn peer_credentials(&self) -> Option<PeerCredentials> {
        Node::peer_credentials(self)
    }

    fn accepts_plain_peers(&self) -> bool {
        Node::accepts_plain_peers(self)
    }

    fn serve_peer<IO>(
        &self,
        io: IO,
        proof: PeerProof,
        opened_epoch: u64,
    ) -> impl Future<Output = ()> + Send
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Node::serve_peer(self, io, proof, opened_epoch)
    }
}
