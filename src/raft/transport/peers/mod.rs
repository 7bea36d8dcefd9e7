//! The connections to the other members, and the known state of each.

use super::identity::IdentityMismatch;
use super::local_member::LocalMember;
use super::peer_state::{Introduced, PeerState, ReportedFacts};
use super::resolver::Unresolved;
use super::{
    CallError, Channel, Dialer, Hello, PeerClient, PeerIdentity, PeerStatus, Request, Response,
};
use crate::clock::{self, Instant};
use crate::locks::lock;
use crate::raft::error::{IdentityError, RaftError};
use crate::raft::log_target;
use crate::storage::types::{LogId, Member, RaftId, StoredMembership};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Maximum age of a member's last answer for the member to count as reachable. It allows for two
/// lost status messages.
pub(crate) const REACHABLE_WITHIN: Duration = Duration::from_millis(1_600);

/// Minimum time between two log lines about a peer's invalid messages.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum number of known peers. At this number, peers that never answered this node are removed.
/// There could be many such peers, since one hello is enough to add an unknown id.
const MAX_KNOWN: usize = 256;
/// Maximum number of status messages of [`Peers::lagging`] in flight to one member. Each message
/// reports entries that were not sent to the member yet.
const MAX_NOTIFIED_AT_ONCE: usize = 4;

/// Maximum time that a start waits for a member's answer to the handshake. A busy member answers
/// within this time, and a dead one refuses immediately.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(400);

/// The connections to the peers and their known state, shared by all tasks that communicate with
/// peers.
pub(crate) struct Peers {
    local_member: Arc<LocalMember>,
    cluster_id: u64,
    /// The addresses by `node.id`. They come from the inventory rather than the log, so a group
    /// whose addresses have all changed can reconnect.
    inventory: BTreeMap<String, String>,
    dialer: Dialer,
    clients: Mutex<BTreeMap<(RaftId, Channel, String), Arc<PeerClient>>>,
    known: Mutex<BTreeMap<RaftId, PeerState>>,
    /// The reason why this process must stop. Either a peer refused this node and said so, or the
    /// digests show that the state of this node diverged.
    fatal: watch::Sender<Option<RaftError>>,
}

impl Peers {
    pub(crate) fn new(
        local_member: Arc<LocalMember>,
        cluster_id: u64,
        inventory: BTreeMap<String, String>,
        dialer: Dialer,
    ) -> Peers {
        Peers {
            local_member,
            cluster_id,
            inventory,
            dialer,
            clients: Mutex::default(),
            known: Mutex::default(),
            fatal: watch::Sender::new(None),
        }
    }

    pub(crate) fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    pub(crate) fn raft_id(&self) -> RaftId {
        self.local_member.name.raft_id()
    }

    /// Returns a receiver for the reason why this process must stop, once there is one.
    pub(crate) fn fatal(&self) -> watch::Receiver<Option<RaftError>> {
        self.fatal.subscribe()
    }

    /// Records the reason why this process must stop. The first reason is kept.
    pub(crate) fn set_fatal(&self, reason: RaftError) {
        self.fatal.send_if_modified(|fatal| {
            let first = fatal.is_none();
            if first {
                *fatal = Some(reason);
            }
            first
        });
    }

    /// Returns a member's address: from the inventory, or from the log if the inventory has none.
    pub(crate) fn address_of<'a>(&'a self, member: &'a Member) -> &'a str {
        self.inventory
            .get(&member.node_id)
            .map_or(member.address.as_str(), String::as_str)
    }

    pub(crate) fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    /// Returns a node's address in the inventory.
    pub(crate) fn inventory_address(&self, node_id: &str) -> Option<&str> {
        self.inventory.get(node_id).map(String::as_str)
    }

    /// Returns why a member's name does not resolve. Returns `None` if it does resolve, or if the
    /// address contains no name.
    pub(crate) fn resolve_error(&self, member: &Member) -> Option<Unresolved> {
        self.dialer.resolve_error(self.address_of(member))
    }

    pub(crate) fn identity(&self) -> PeerIdentity {
        self.local_member.identity()
    }

    /// Sends a request to a member of the group and returns its answer.
    pub(crate) async fn call(
        self: &Arc<Self>,
        target: RaftId,
        member: &Member,
        channel: Channel,
        request: Request,
        limit: Duration,
    ) -> Result<Response, CallError> {
        let client = self.client(target, member, channel);
        let hello = Hello::member(self.identity(), self.cluster_id, target);
        let result = client.call(hello, request, limit).await;
        match &result {
            Ok(_) => {
                let mut known = lock(&self.known);
                let known = known.entry(target).or_default();
                let now = clock::now();
                known.last_answer = Some(now);
                if !known.is_plain {
                    known.proved_at = Some(now);
                }
                known.rejection = None;
            }
            Err(CallError::Refused {
                reason,
                fatal: true,
            }) => {
                self.set_fatal(RaftError::Identity(IdentityError::Refused {
                    member: member.node_id.clone(),
                    reason: reason.clone(),
                }));
            }
            Err(CallError::Refused { reason, .. }) => {
                let mut known = lock(&self.known);
                let known = known.entry(target).or_default();
                if known.rejection.as_ref() != Some(reason) {
                    tracing::warn!(
                        target: log_target::PEERS,
                        "{} refused this node: {reason}", member.node_id
                    );
                    known.rejection = Some(reason.clone());
                }
            }
            Err(_) => {}
        }
        result
    }

    /// Sends a hello to every member before this node may vote. The members can thereby reject a
    /// directory restored from a copy before it votes (docs/decisions/0002).
    pub(crate) async fn handshake_all(self: &Arc<Self>, membership: &StoredMembership) {
        let own = self.raft_id();
        let handshakes = membership
            .membership()
            .nodes()
            .filter(|(id, _)| **id != own)
            .map(|(id, member)| async {
                // Ignore the result. `call` itself records a refusal. A member that cannot be
                // reached now gets a hello with the next connection to it.
                let _ = self
                    .call(
                        *id,
                        member,
                        Channel::Control,
                        Request::Probe,
                        HANDSHAKE_TIMEOUT,
                    )
                    .await;
            });
        futures_util::future::join_all(handshakes).await;
    }

    /// Returns the client for a member and a kind of traffic, and creates it when first needed.
    fn client(
        self: &Arc<Self>,
        target: RaftId,
        member: &Member,
        channel: Channel,
    ) -> Arc<PeerClient> {
        let address = self.address_of(member);
        let mut clients = lock(&self.clients);
        clients
            .entry((target, channel, address.to_owned()))
            .or_insert_with(|| {
                let peers = Arc::downgrade(self);
                let check = move |from: &PeerIdentity, plain_because: Option<&str>| {
                    if from.name.raft_id() != target {
                        return Err(IdentityMismatch::OtherNode(from.name.clone()));
                    }
                    match peers.upgrade() {
                        Some(peers) => peers.verify(from, plain_because),
                        None => Ok(()),
                    }
                };
                Arc::new(PeerClient::new(address, self.dialer.clone()).checked(check))
            })
            .clone()
    }

    /// Drops the connections and the known state of nodes that are no longer members.
    pub(crate) fn retain(&self, is_member: impl Fn(RaftId) -> bool) {
        lock(&self.clients).retain(|(id, _, _), _| is_member(*id));
        lock(&self.known).retain(|id, _| is_member(*id));
    }

    /// Returns the known state of a peer.
    pub(crate) fn state(&self, id: RaftId) -> PeerState {
        lock(&self.known).get(&id).cloned().unwrap_or_default()
    }

    /// Returns whether a member has answered this node recently.
    pub(crate) fn is_reachable(&self, id: RaftId) -> bool {
        self.state(id)
            .last_answer
            .is_some_and(|at| clock::now().duration_since(at) < REACHABLE_WITHIN)
    }

    /// Returns the number of known peers.
    #[cfg(test)]
    pub(crate) fn state_count(&self) -> usize {
        lock(&self.known).len()
    }

    /// Records that a member sent a request to this node, on a plain connection or a proven one.
    pub(crate) fn note_request(&self, id: RaftId, is_plain: bool) {
        let now = clock::now();
        let mut known = lock(&self.known);
        let known = known.entry(id).or_default();
        known.last_request = Some(now);
        if !is_plain {
            known.proved_at = Some(now);
        }
    }

    /// Logs that a peer's message is invalid, unless this was logged recently.
    pub(crate) fn log_failure(&self, id: RaftId, reason: &str) {
        let now = clock::now();
        let mut known = lock(&self.known);
        let known = known.entry(id).or_default();
        if known
            .complained
            .is_none_or(|at| now.duration_since(at) >= LOG_INTERVAL)
        {
            known.complained = Some(now);
            tracing::warn!(target: log_target::PEERS, "{reason}");
        }
    }

    /// Records that a member took a piece of a snapshot.
    pub(crate) fn note_piece(&self, id: RaftId) {
        lock(&self.known).entry(id).or_default().last_piece = Some(clock::now());
    }

    /// Records what a member reported about its disk, its feature level of commands and itself.
    pub(crate) fn note_report(
        &self,
        id: RaftId,
        status: &PeerStatus,
        facts: Option<ReportedFacts>,
    ) {
        let mut known = lock(&self.known);
        let known = known.entry(id).or_default();
        (known.disk_low, known.level) = (status.disk_low, status.level);
        known.facts = facts;
    }

    /// Records that a member reported the applied index `applied` while that of this node was
    /// `own`.
    pub(crate) fn note_applied(&self, id: RaftId, applied: u64, own: u64) {
        lock(&self.known).entry(id).or_default().behind = own.wrapping_sub(applied) as i64;
    }

    /// Records that an append ending at this index is on its way to a member.
    pub(crate) fn note_sent(&self, id: RaftId, index: u64) {
        let mut known = lock(&self.known);
        let known = known.entry(id).or_default();
        known.sent = known.sent.max(index);
    }

    /// Returns the reachable members that need a status message now, because no append with the
    /// entry at `index` was sent to them yet.
    ///
    /// At most `MAX_NOTIFIED_AT_ONCE` such messages are in flight to each member, and they are sent
    /// at least `pace` apart. A message counts as in flight until [`Peers::note_notified`] is
    /// called.
    pub(crate) fn lagging(&self, index: u64, pace: Duration) -> Vec<RaftId> {
        let mut lagging = Vec::new();
        for (id, known) in lock(&self.known).iter_mut() {
            if known.sent >= index || known.notices_in_flight >= MAX_NOTIFIED_AT_ONCE {
                continue;
            }
            let now = clock::now();
            let is_within = |since: Option<Instant>, limit| {
                since.is_some_and(|at| now.duration_since(at) < limit)
            };
            if is_within(known.last_answer, REACHABLE_WITHIN) && !is_within(known.notified_at, pace)
            {
                known.notices_in_flight += 1;
                known.notified_at = Some(now);
                lagging.push(*id);
            }
        }
        lagging
    }

    /// Records that a status message to a member returned by [`Peers::lagging`] was answered or
    /// lost.
    pub(crate) fn note_notified(&self, id: RaftId) {
        if let Some(known) = lock(&self.known).get_mut(&id) {
            known.notices_in_flight = known.notices_in_flight.saturating_sub(1);
        }
    }

    /// Records that a member acknowledged the log up to this id. [`Peers::verify`] compares this id
    /// with the log that a later process of the member reports.
    pub(crate) fn note_acknowledged(&self, id: RaftId, log_id: Option<LogId>) {
        let mut known = lock(&self.known);
        let known = known.entry(id).or_default();
        // Skip a peer whose process is unknown, for example because the peer was removed from the
        // group and its state was dropped. The peer's next hello would count as that of a new
        // process. It would be rejected, because its log id dates from the start of the process.
        // Skip a plain peer too, because its statements must not count against the member whose
        // name it uses.
        if known.process.is_some() && !known.is_plain {
            known.acknowledged = known.acknowledged.max(log_id);
        }
    }

    /// Checks the process behind a raft id when it sends a hello or the reply to one
    /// ([`PeerState::introduce`]). `plain_because` is the reason why the peer gave no proof; it
    /// is `None` if the peer gave one, or if peers have no keys.
    ///
    /// # Errors
    /// The reason why the peer is not the member that it claims to be.
    pub(crate) fn verify(
        &self,
        from: &PeerIdentity,
        plain_because: Option<&str>,
    ) -> Result<(), IdentityMismatch> {
        let id = from.name.raft_id();
        let introduced = {
            let mut known = lock(&self.known);
            if !known.contains_key(&id) && known.len() >= MAX_KNOWN {
                // Keep the peers that answered this node, since they are members. Drop the data
                // that other nodes sent about themselves.
                known.retain(|_, known| known.last_answer.is_some());
            }
            let known = known.entry(id).or_default();
            known.introduce(from, plain_because.is_some())?
        };
        match (introduced, plain_because) {
            // Drop all clients of this peer, since their connections may be plain.
            (Introduced::NewlyProved, _) => {
                lock(&self.clients).retain(|(target, ..), _| *target != id);
            }
            (Introduced::NewlyPlain, Some(reason)) => tracing::warn!(
                target: log_target::PEERS,
                "{} is accepted without a proof of the shared secret, since \
                 cluster.peer-authentication is permissive: {reason}",
                from.name.node_id
            ),
            _ => {}
        }
        Ok(())
    }

    /// Returns whether a peer has recently proved that it has the shared secret.
    pub(crate) fn has_proved(&self, id: RaftId) -> bool {
        lock(&self.known)
            .get(&id)
            .is_some_and(PeerState::has_proved)
    }
}

#[cfg(test)]
mod tests;
