//! Consensus behind one façade, [`Node`]. The only place that names openraft.

pub mod disk;
mod errors;
mod status;
mod types;

pub use errors::{Unavailable, WriteError};
pub use status::{GroupState, MemberStatus, Role, Status};
pub use types::{Member, RaftId, TypeConfig};

use crate::clock::Instant;
use crate::model::{Announcement, Lookup, StaticService};
use crate::registry::Rendered;
use std::sync::Arc;

/// What a lookup was answered with.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The rendered bytes, shared by every reader of the same state.
    pub rendered: Arc<Rendered>,
    /// The applied index of the state that it was answered from.
    pub index: u64,
}

/// One member of the group, or a node that waits for its group to form.
///
/// Cheap to clone; every method may be called before the group is formed and then
/// says what the node waits for.
#[derive(Clone)]
pub struct Node {}

impl Node {
    /// A linearizable lookup.
    ///
    /// # Errors
    /// Without a quorum, before the group is formed, or past the deadline.
    pub async fn lookup(
        &self,
        _lookup: &Lookup,
        _deadline: Instant,
    ) -> Result<Answer, Unavailable> {
        unimplemented!()
    }

    /// What this node holds at once, which may be old.
    ///
    /// # Errors
    /// Before the group is formed.
    pub fn lookup_stale(&self, _lookup: &Lookup) -> Result<Answer, Unavailable> {
        unimplemented!()
    }

    /// Commits an announcement (or a renewal, when the node holds the same already). The log index it was applied at.
    ///
    /// # Errors
    /// When it was surely not applied, or when that is unknown.
    pub async fn announce(
        &self,
        _announcement: Announcement,
        _deadline: Instant,
    ) -> Result<u64, WriteError> {
        unimplemented!()
    }

    /// Commits that the node has left. The log index.
    ///
    /// # Errors
    /// As for [`Node::announce`].
    pub async fn withdraw(&self, _node_id: String, _deadline: Instant) -> Result<u64, WriteError> {
        unimplemented!()
    }

    /// Commits a static service, whose id the caller drew. The log index.
    ///
    /// # Errors
    /// As for [`Node::announce`].
    pub async fn add_static(
        &self,
        _service: StaticService,
        _deadline: Instant,
    ) -> Result<u64, WriteError> {
        unimplemented!()
    }

    /// Commits the removal of a static service. The log index.
    ///
    /// # Errors
    /// As for [`Node::announce`].
    pub async fn remove_static(&self, _id: String, _deadline: Instant) -> Result<u64, WriteError> {
        unimplemented!()
    }

    /// What this node knows of the group, at once and without a quorum too.
    pub fn status(&self) -> Status {
        unimplemented!()
    }

    /// Whether this node is a voter and a read round succeeded in the last 2 s.
    ///
    /// # Errors
    /// The reason why not.
    pub fn ready(&self) -> Result<(), String> {
        unimplemented!()
    }

    /// Serves one server-to-server connection that asked for the peer protocol, until it ends.
    /// `opened_epoch` is the beat's epoch in which it was opened.
    pub async fn serve_peer<IO>(&self, _io: IO, _opened_epoch: u64)
    where
        IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        unimplemented!()
    }
}
