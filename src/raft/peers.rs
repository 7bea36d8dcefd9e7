//! The links to the other members, and what is known of each.

use super::errors::StartError;
use super::identity::NodeName;
use super::locks::lock;
use super::peer::{Answer, CallError, Dialer, Hello, Introduction, Lane, Link, Request};
use super::types::{LogId, Member, RaftId, StoredMembership};
use crate::clock::{self, Instant};
use crate::planted::{Bug, is_planted};
use openraft::vote::RaftLeaderId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// A member that answered a pulse within this time is reachable: two pulses may be lost.
const REACHABLE_WITHIN: Duration = Duration::from_millis(1_600);

/// What a peer does wrong is logged this often.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);
/// Peers of which something is known, beside those that answered: an id that nobody knows costs a
/// hello.
const MAX_KNOWN: usize = 256;
/// Pulses under way to one member that tell it of what it was not sent yet.
const MOST_TOLD_AT_ONCE: usize = 4;

/// What this node says of itself on every connection.
pub(super) struct SelfImage {
    pub(super) name: NodeName,
    pub(super) environment: String,
    pub(super) process: u64,
    /// The last log id on disk when the process started; it only grows from there.
    pub(super) last_log_id: Option<LogId>,
    /// The term of the vote on disk then.
    pub(super) vote_term: u64,
}

/// How long a start waits for a member's word: a busy one answers within this, a dead one refuses at once.
const GREETING_TIMEOUT: Duration = Duration::from_millis(400);

/// Links and knowledge of the peers, shared by everything that talks to them.
pub(super) struct Peers {
    image: Arc<SelfImage>,
    cluster_id: u64,
    /// Addresses by `node.id`. They come from the inventory and not from the log, so that a group
    /// whose addresses all changed finds itself again.
    inventory: BTreeMap<String, String>,
    dialer: Dialer,
    links: Mutex<BTreeMap<(RaftId, Lane, String), Arc<Link>>>,
    known: Mutex<BTreeMap<RaftId, Known>>,
    /// Set when a peer says that this process must stop.
    condemned: watch::Sender<Option<StartError>>,
}

/// What this process has seen of one raft id.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) last_answer: Option<Instant>,
    /// When it last asked this node something.
    pub(super) last_request: Option<Instant>,
    /// How many entries it was behind this node, or ahead of it (negative), when it last told.
    pub(super) behind: i64,
    /// When it last took a piece of a snapshot from this node.
    pub(super) last_piece: Option<Instant>,
    /// Whether its disk is below the floor.
    pub(super) disk_low: bool,
    /// The highest level of commands that it said it knows; 0 before it said so.
    pub(super) level: u32,
    /// Why it last refused this node, until it answers.
    pub(super) refusal: Option<String>,
    /// When this node last complained of what it sent.
    complained: Option<Instant>,
    /// The highest index that an append to it carried, whether or not it has answered.
    sent: u64,
    /// How many pulses beyond that are on their way to it, and when the last one left.
    being_told: usize,
    told_at: Option<Instant>,
    /// The process that spoke last.
    process: Option<u64>,
    /// The highest log id that it acknowledged to this process.
    acknowledged: Option<LogId>,
}

impl Peers {
    pub(super) fn new(
        image: Arc<SelfImage>,
        cluster_id: u64,
        inventory: BTreeMap<String, String>,
        dialer: Dialer,
    ) -> Peers {
        Peers {
            image,
            cluster_id,
            inventory,
            dialer,
            links: Mutex::default(),
            known: Mutex::default(),
            condemned: watch::Sender::new(None),
        }
    }

    pub(super) fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    pub(super) fn raft_id(&self) -> RaftId {
        self.image.name.raft_id()
    }

    /// Why this process must stop, once a peer has said so.
    pub(super) fn condemned(&self) -> watch::Receiver<Option<StartError>> {
        self.condemned.subscribe()
    }

    /// This process must stop, for this reason.
    pub(super) fn condemn(&self, reason: StartError) {
        self.condemned.send_if_modified(|condemned| {
            let first = condemned.is_none();
            if first {
                *condemned = Some(reason);
            }
            first
        });
    }

    pub(super) fn address_of<'a>(&'a self, member: &'a Member) -> &'a str {
        self.inventory
            .get(&member.node_id)
            .map_or(member.address.as_str(), String::as_str)
    }

    pub(super) fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    /// Where the inventory says that a node is reached.
    pub(super) fn inventory_address(&self, node_id: &str) -> Option<&str> {
        self.inventory.get(node_id).map(String::as_str)
    }

    /// Why a member's name does not resolve; `None` when it does, or when its address has none.
    pub(super) fn trouble_with_name(&self, member: &Member) -> Option<String> {
        self.dialer.trouble(self.address_of(member))
    }

    pub(super) fn introduction(&self) -> Introduction {
        self.image.introduction()
    }

    /// Asks a member of the group.
    pub(super) async fn call(
        self: &Arc<Self>,
        target: RaftId,
        member: &Member,
        lane: Lane,
        request: Request,
        limit: Duration,
    ) -> Result<Answer, CallError> {
        let link = self.link(target, member, lane);
        let hello = Hello::member(self.introduction(), self.cluster_id, target);
        let result = link.call(hello, request, limit).await;
        match &result {
            Ok(_) => {
                let mut known = lock(&self.known);
                let known = known.entry(target).or_default();
                known.last_answer = Some(clock::now());
                known.refusal = None;
            }
            Err(CallError::Refused {
                reason,
                fatal: true,
            }) => {
                self.condemn(StartError::Identity(format!(
                    "{} refused this node: {reason}",
                    member.node_id
                )));
            }
            Err(CallError::Refused { reason, .. }) => {
                let mut known = lock(&self.known);
                let known = known.entry(target).or_default();
                if known.refusal.as_ref() != Some(reason) {
                    tracing::warn!("{} refused this node: {reason}", member.node_id);
                    known.refusal = Some(reason.clone());
                }
            }
            Err(_) => {}
        }
        result
    }

    /// Says hello to every member before this node may vote, so that a directory restored from a
    /// copy is refused first (docs/decisions/0002).
    pub(super) async fn greet_members(self: &Arc<Self>, membership: &StoredMembership) {
        let own = self.raft_id();
        let greeted = membership
            .membership()
            .nodes()
            .filter(|(id, _)| **id != own)
            .map(|(id, member)| async {
                // A member that cannot be reached cannot object; the next one that can will.
                let _ = self
                    .call(*id, member, Lane::Control, Request::Look, GREETING_TIMEOUT)
                    .await;
            });
        futures_util::future::join_all(greeted).await;
    }

    fn link(self: &Arc<Self>, target: RaftId, member: &Member, lane: Lane) -> Arc<Link> {
        let address = self.address_of(member);
        let mut links = lock(&self.links);
        links
            .entry((target, lane, address.to_owned()))
            .or_insert_with(|| {
                let peers = Arc::downgrade(self);
                let check = move |from: &Introduction| match peers.upgrade() {
                    Some(peers) => peers.judge(from),
                    None => Ok(()),
                };
                Arc::new(Link::new(address, self.dialer.clone()).checked(check))
            })
            .clone()
    }

    /// Drops links to everyone who is no member any more.
    pub(super) fn retain(&self, is_member: impl Fn(RaftId) -> bool) {
        lock(&self.links).retain(|(id, _, _), _| is_member(*id));
        lock(&self.known).retain(|id, _| is_member(*id));
    }

    pub(super) fn known(&self, id: RaftId) -> Known {
        lock(&self.known).get(&id).cloned().unwrap_or_default()
    }

    pub(super) fn is_reachable(&self, id: RaftId) -> bool {
        self.known(id)
            .last_answer
            .is_some_and(|at| clock::now().duration_since(at) < REACHABLE_WITHIN)
    }

    /// Of how many peers something is known.
    #[cfg(test)]
    pub(super) fn known_count(&self) -> usize {
        lock(&self.known).len()
    }

    /// A member asked this node something.
    pub(super) fn note_request(&self, id: RaftId) {
        lock(&self.known).entry(id).or_default().last_request = Some(clock::now());
    }

    /// Logs what is wrong with what a peer sent, unless that was done just now.
    pub(super) fn complain_of(&self, id: RaftId, reason: &str) {
        let now = clock::now();
        let mut known = lock(&self.known);
        let known = known.entry(id).or_default();
        if known
            .complained
            .is_none_or(|at| now.duration_since(at) >= COMPLAINT_INTERVAL)
        {
            known.complained = Some(now);
            tracing::warn!("{reason}");
        }
    }

    /// A member took a piece of a snapshot.
    pub(super) fn note_piece(&self, id: RaftId) {
        lock(&self.known).entry(id).or_default().last_piece = Some(clock::now());
    }

    /// A member told whether its disk takes entries.
    pub(super) fn note_disk(&self, id: RaftId, disk_low: bool) {
        lock(&self.known).entry(id).or_default().disk_low = disk_low;
    }

    /// A member told which level of commands it knows.
    pub(super) fn note_level(&self, id: RaftId, level: u32) {
        lock(&self.known).entry(id).or_default().level = level;
    }

    /// A member told how far it is, when this node was at `own`.
    pub(super) fn note_applied(&self, id: RaftId, applied: u64, own: u64) {
        lock(&self.known).entry(id).or_default().behind = own as i64 - applied as i64;
    }

    /// An append that ends at this index is on its way to a member.
    pub(super) fn note_sent(&self, id: RaftId, index: u64) {
        let mut known = lock(&self.known);
        let known = known.entry(id).or_default();
        known.sent = known.sent.max(index);
    }

    /// The reachable members that were not sent the entry at `index` yet and are to be told now. A
    /// few pulses at most are under way to each, until [`Peers::note_told`], and the last one left
    /// `pace` ago.
    pub(super) fn lagging(&self, index: u64, pace: Duration) -> Vec<RaftId> {
        let mut lagging = Vec::new();
        for (id, known) in lock(&self.known).iter_mut() {
            if known.sent >= index || known.being_told >= MOST_TOLD_AT_ONCE {
                continue;
            }
            let now = clock::now();
            let is_within = |since: Option<Instant>, limit| {
                since.is_some_and(|at| now.duration_since(at) < limit)
            };
            if is_within(known.last_answer, REACHABLE_WITHIN) && !is_within(known.told_at, pace) {
                known.being_told += 1;
                known.told_at = Some(now);
                lagging.push(*id);
            }
        }
        lagging
    }

    /// A pulse beyond what was sent was answered, or lost.
    pub(super) fn note_told(&self, id: RaftId) {
        if let Some(known) = lock(&self.known).get_mut(&id) {
            known.being_told = known.being_told.saturating_sub(1);
        }
    }

    /// Records that a member acknowledged the log up to here. If it ever shows less, its directory
    /// was restored from a copy.
    pub(super) fn note_acknowledged(&self, id: RaftId, log_id: Option<LogId>) {
        let mut known = lock(&self.known);
        let known = known.entry(id).or_default();
        // Without its hello there is nothing to compare with later: a stranger's next process would be refused.
        if known.process.is_some() {
            known.acknowledged = known.acknowledged.max(log_id);
        }
    }

    /// Checks the process behind a Raft id that says hello or welcome: a second live process, or a
    /// log shorter than the one acknowledged, is refused (docs/decisions/0002).
    ///
    /// # Errors
    /// Why it is not who it says: its disk was put back from a copy, or a second process runs on one.
    pub(super) fn judge(&self, from: &Introduction) -> Result<(), String> {
        let mut known = lock(&self.known);
        let id = from.name.raft_id();
        if !known.contains_key(&id) && known.len() >= MAX_KNOWN {
            // Those that this node asks are members; what strangers said of themselves makes room.
            known.retain(|_, known| known.last_answer.is_some());
        }
        let known = known.entry(id).or_default();
        let is_new = known.process.is_none_or(|process| process != from.process);
        // A log cut back by a newer leader is shorter in good faith; the vote tells.
        let cut_back = known
            .acknowledged
            .is_some_and(|acknowledged| from.vote_term > acknowledged.committed_leader_id().term());
        let shows_less = from.last_log_id < known.acknowledged;
        if is_new && !cut_back && shows_less && !is_planted(Bug::EmptyNodeVotes) {
            return Err(format!(
                "{} acknowledged more of the log than its data directory holds: it was put back from a copy. \
                 Empty its data directory and start it again; it rejoins by itself",
                from.name
            ));
        }
        known.process = Some(from.process);
        Ok(())
    }
}

impl SelfImage {
    pub(super) fn introduction(&self) -> Introduction {
        Introduction {
            name: self.name.clone(),
            environment: self.environment.clone(),
            process: self.process,
            last_log_id: self.last_log_id,
            vote_term: self.vote_term,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(node_id: &str) -> SelfImage {
        SelfImage {
            name: NodeName {
                node_id: node_id.to_owned(),
                incarnation: 1,
            },
            environment: "test".to_owned(),
            process: 1,
            last_log_id: None,
            vote_term: 1,
        }
    }

    fn log_id(term: u64, index: u64) -> Option<LogId> {
        let leader = openraft::impls::leader_id_adv::LeaderId { term, node_id: 1 };
        Some(LogId::new(leader, index))
    }

    fn says(process: u64, last: Option<LogId>, vote_term: u64) -> Introduction {
        Introduction {
            process,
            last_log_id: last,
            vote_term,
            ..image("b").introduction()
        }
    }

    /// A member that answers and was not sent an entry is told a few times at once, and at the pace
    /// asked for; one that was sent it, or does not answer, is not.
    #[tokio::test(start_paused = true)]
    async fn who_lags_is_told_in_measure() {
        let pace = Duration::from_millis(20);
        let peers = peers_who_saw(None);
        let b = image("b").name.raft_id();
        assert!(peers.lagging(9, pace).is_empty(), "it never answered");
        lock(&peers.known).entry(b).or_default().last_answer = Some(clock::now());
        peers.note_sent(b, 8);
        assert!(peers.lagging(8, pace).is_empty(), "it was sent that");
        assert_eq!(peers.lagging(9, pace), [b]);
        assert!(peers.lagging(10, pace).is_empty(), "too soon");
        for index in 10..9 + MOST_TOLD_AT_ONCE as u64 {
            assert_eq!(peers.lagging(index, Duration::ZERO), [b]);
        }
        tokio::time::advance(pace).await;
        assert!(peers.lagging(99, pace).is_empty(), "enough are under way");
        peers.note_told(b);
        assert_eq!(peers.lagging(99, pace), [b]);
    }

    fn peers_who_saw(acknowledged: Option<LogId>) -> Peers {
        let peers = Peers::new(Arc::new(image("a")), 7, BTreeMap::new(), Dialer::tcp(None));
        peers.judge(&says(1, None, 1)).expect("a first hello");
        peers.note_acknowledged(image("b").name.raft_id(), acknowledged);
        peers
    }

    /// A new process that shows less than its incarnation acknowledged runs on a disk put back from a copy.
    #[test]
    fn a_disk_put_back_from_a_copy_is_refused() {
        let peers = peers_who_saw(log_id(1, 9));
        let refused = peers.judge(&says(2, log_id(1, 5), 1));
        assert!(refused.is_err_and(|reason| reason.contains("put back from a copy")));
    }

    /// A restart that kept its disk is taken, and so is a connection of the process that acknowledged.
    #[test]
    fn a_restart_with_its_disk_is_taken() {
        let peers = peers_who_saw(log_id(1, 9));
        assert!(peers.judge(&says(1, None, 1)).is_ok());
        assert!(peers.judge(&says(2, log_id(1, 9), 1)).is_ok());
    }

    /// A log that a newer leader cut back is shorter in good faith; the newer vote tells.
    #[test]
    fn a_log_cut_back_by_a_newer_leader_is_taken() {
        let peers = peers_who_saw(log_id(1, 9));
        assert!(peers.judge(&says(2, log_id(1, 5), 2)).is_ok());
    }
}
