//! The group that this node is a member of: openraft with what is built around it.

use super::disk::Store;
use super::errors::{StartError, Unavailable, unavailable};
use super::identity::NodeName;
use super::leader::{Leader, View};
use super::network::Network;
use super::options::Options;
use super::peer::{Answer, CallError, Lane, Request};
use super::peers::Peers;
use super::reads::ReadRounds;
use super::replica::Replica;
use super::state_machine::StateMachine;
use super::turns::Turns;
use super::types::{RaftId, TypeConfig};
use super::writes::{Writes, batch_of};
use super::{hearing, level, membership, pulse, retention, space, ticker, vigil};
use crate::clock::{self, Instant};
use crate::registry::{Batch, Command, Leadership};
use openraft::async_runtime::WatchReceiver;
use openraft::metrics::{RaftMetrics, RaftServerMetrics};
use openraft::vote::RaftLeaderId;
use openraft::{Config, ServerState, SnapshotPolicy, StorageHelper};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

pub(super) type Raft = openraft::Raft<TypeConfig, StateMachine>;

/// A snapshot after so many entries, or sooner (`retention`): a restart replays at most this many and those kept for stragglers.
const SNAPSHOT_EVERY_ENTRIES: u64 = 5_000;
/// Entries kept behind a snapshot where they are small (`retention`), so that a node that was away for half a minute under full
/// load needs no snapshot. A purge up to a snapshot of one's own does not overtake an apply (openraft #2116): what is covered was
/// submitted before.
const ENTRIES_KEPT: u64 = 10_000;
/// Maximum entries of one append. The log reader cuts it at a megabyte: openraft limits no bytes,
/// and would send again, without end, what a slow link cannot carry in time.
const ENTRIES_PER_APPEND: u64 = 300;
/// A read must have been served within this for a node to count as serving.
const SERVES_WITHIN: Duration = Duration::from_secs(2);
/// How long installing a snapshot may take on a slow disk before openraft starts over.
const INSTALL_SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(30);

/// A formed group, with every task that serves it.
pub(super) struct Group {
    pub(super) raft: Raft,
    pub(super) replica: Arc<Replica>,
    pub(super) peers: Arc<Peers>,
    pub(super) reads: ReadRounds,
    pub(super) writes: Writes,
    pub(super) options: Options,
    pub(super) wishes: membership::Wishes,
    pub(super) disk_low: AtomicBool,
    pub(super) turns: Turns,
    /// When it was started, in this process.
    pub(super) started: Instant,
    /// Whether nobody waits for a higher level of commands any more.
    pub(super) is_settled: AtomicBool,
    founders: Vec<(NodeName, String)>,
    view: watch::Receiver<View>,
    stop: watch::Sender<bool>,
}

impl Group {
    /// Opens the replica and starts openraft and the tasks around it.
    ///
    /// # Errors
    /// When the disk's contents cannot be trusted, or openraft refuses the settings.
    pub(super) async fn start(
        options: Options,
        peers: Arc<Peers>,
        founders: Vec<(NodeName, String)>,
    ) -> Result<Arc<Group>, StartError> {
        let store = options.store.clone();
        let (mut machine, replica) = StateMachine::open(
            store.snapshots(),
            &options.environment,
            peers.cluster_id(),
            options.recovery_gap,
            options.beat.clone(),
        )
        .await?;
        // From the disk: openraft tells its membership only once it runs, and then this node may vote.
        let membership = StorageHelper::new(&mut store.log_store(), &mut machine)
            .get_membership()
            .await
            .map_err(|error| StartError::Storage(error.to_string()))?
            .effective()
            .clone();
        let config = Arc::new(raft_config(&options)?);
        let network = Network::new(peers.clone());
        let raft = Raft::build(peers.raft_id(), config, network, store.log_store(), machine)
            .await
            .map_err(|error| StartError::Storage(error.to_string()))?;
        peers.greet_members(&membership).await;
        if let Some(condemned) = peers.condemned().borrow().clone() {
            return Err(condemned);
        }
        raft.run();
        let (reads, rounds) = ReadRounds::new();
        let (writes, batches) = Writes::new();
        let (sender, view) = watch::channel(View::of(&raft.metrics().borrow_watched()));
        let group = Arc::new(Group {
            raft,
            replica,
            peers,
            reads,
            writes,
            options,
            wishes: membership::Wishes::default(),
            disk_low: AtomicBool::new(false),
            turns: Turns::default(),
            started: clock::now(),
            is_settled: AtomicBool::new(false),
            founders,
            view,
            stop: watch::Sender::new(false),
        });
        tokio::spawn(follow_metrics(group.clone(), sender));
        tokio::spawn(rounds.run(group.clone()));
        tokio::spawn(batches.run(group.clone()));
        tokio::spawn(ticker::run(group.clone()));
        tokio::spawn(pulse::run(group.clone()));
        tokio::spawn(vigil::run(group.clone()));
        tokio::spawn(membership::run(group.clone()));
        tokio::spawn(level::run(group.clone()));
        tokio::spawn(space::run(group.clone()));
        tokio::spawn(retention::run(group.clone()));
        tokio::spawn(hearing::run(group.clone()));
        Ok(group)
    }

    pub(super) fn view(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    pub(super) fn raft_id(&self) -> RaftId {
        self.peers.raft_id()
    }

    /// The pairs that formed the group, with the addresses that they had.
    pub(super) fn founders(&self) -> &[(NodeName, String)] {
        &self.founders
    }

    pub(super) fn store(&self) -> &Store {
        &self.options.store
    }

    pub(super) fn leads(&self) -> bool {
        self.view.borrow().state == ServerState::Leader
    }

    /// A log entry's worth of commands, with the settings that apply needs.
    pub(super) fn batch(&self, commands: Vec<Command>) -> Batch {
        batch_of(commands, self.options.max_age)
    }

    /// Asks the leader.
    ///
    /// # Errors
    /// As for [`Peers::call`].
    pub(super) async fn ask_leader(
        &self,
        leader: &Leader,
        lane: Lane,
        request: Request,
        limit: Duration,
    ) -> Result<Answer, CallError> {
        self.peers
            .call(leader.id, &leader.member, lane, request, limit)
            .await
    }

    /// Returns once this node has applied everything that was acknowledged before the call.
    ///
    /// # Errors
    /// When no majority confirms it, or this node is behind, until the deadline.
    pub(super) async fn confirm_applied(&self, deadline: Instant) -> Result<(), Unavailable> {
        let index = self.reads.index(deadline).await?;
        self.replica.evidence().note_committed(index);
        self.wait_applied(index, deadline).await?;
        self.reads.note_served();
        self.replica.feeds().set_lost(None);
        Ok(())
    }

    /// Returns once this node has applied an index.
    ///
    /// # Errors
    /// When it has not until the deadline.
    pub(super) async fn wait_applied(
        &self,
        index: u64,
        deadline: Instant,
    ) -> Result<(), Unavailable> {
        if self.replica.has_applied(index) {
            return Ok(());
        }
        let mut applied = self.replica.applied();
        let reached = applied.wait_for(|applied| *applied >= index);
        match tokio::time::timeout_at(deadline, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(unavailable(
                "this node is behind the group and did not catch up in time",
            )),
        }
    }

    /// Whether this node has served a read within the last moments, as a member that is well does.
    pub(super) fn serves(&self) -> bool {
        self.reads
            .since_served()
            .is_some_and(|ago| ago <= SERVES_WITHIN)
    }

    /// Whether this node's disk takes a proposal.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn may_propose(&self) -> Result<(), String> {
        match self.disk_low.load(Ordering::Relaxed) {
            true => Err(format!("the disk of {} is full", self.options.node_id)),
            false => Ok(()),
        }
    }

    /// Resolves when this node no longer leads.
    pub(super) async fn lost_leadership(&self) {
        // An error means that the group is gone, and the leadership with it.
        let _ = self
            .view()
            .wait_for(|view| view.state != ServerState::Leader)
            .await;
    }

    /// Resolves when the group is told to stop.
    pub(super) async fn stopping(&self) {
        // An error means that the group is gone.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Waits for the next beat of a task of the group; `false` when the task has to end.
    pub(super) async fn next(&self, pace: &mut Interval) -> bool {
        tokio::select! {
            _ = pace.tick() => true,
            () = self.stopping() => false,
        }
    }

    /// Ends the tasks and openraft; what is on disk stays as it is.
    pub(super) async fn shut_down(&self) {
        self.stop.send_replace(true);
        if let Err(error) = self.raft.shutdown().await {
            tracing::debug!("openraft ended with {error}");
        }
    }
}

/// The pace of a task that is not to catch up on what it missed: after a stop once is enough.
pub(super) fn paced(period: Duration) -> Interval {
    let mut pace = tokio::time::interval(period);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

fn raft_config(options: &Options) -> Result<Config, StartError> {
    let config = Config {
        cluster_name: "quorate".to_owned(),
        heartbeat_interval: options.heartbeat.as_millis() as u64,
        election_timeout_min: options.election.0.as_millis() as u64,
        election_timeout_max: options.election.1.as_millis() as u64,
        install_snapshot_timeout: INSTALL_SNAPSHOT_TIMEOUT.as_millis() as u64,
        max_payload_entries: ENTRIES_PER_APPEND,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY_ENTRIES),
        max_in_snapshot_log_to_keep: ENTRIES_KEPT,
        replication_lag_threshold: 2 * (SNAPSHOT_EVERY_ENTRIES + ENTRIES_KEPT),
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(false),
        quorum_loss_probe_interval: Some(2 * options.election.1.as_millis() as u64),
        backoff: "100ms 200ms ...400ms".to_owned(),
        ..Config::default()
    };
    config
        .validate()
        .map_err(|error| StartError::Settings(error.to_string()))
}

/// Keeps the narrow view up to date, and logs what a person wants to know of it.
async fn follow_metrics(group: Arc<Group>, sender: watch::Sender<View>) {
    let mut metrics = group.raft.metrics();
    // All metrics are told at each turn of openraft's core, thousands of times a second. This part of them seldom changes, and is
    // told right before all.
    let mut seldom = group.raft.server_metrics();
    let mut is_running = true;
    loop {
        while !agree(&seldom.borrow_watched(), &metrics.borrow_watched())
            && metrics.changed().await.is_ok()
        {}
        let view = {
            let now = metrics.borrow_watched();
            if now.vote.is_committed() {
                let leader = now.vote.leader_id();
                if now.state == ServerState::Leader
                    && let Some(index) = now.last_log_index
                {
                    let (term, node) = (leader.term(), *leader.node_id());
                    let evidence = group.replica.evidence();
                    evidence.note_tail(Leadership { term, node }, index);
                }
                group
                    .replica
                    .journal()
                    .follow((leader.term(), *leader.node_id()));
            }
            View::of(&now)
        };
        sender.send_if_modified(|old| {
            if *old == view {
                return false;
            }
            log_changes(old, &view);
            *old = view;
            true
        });
        if !is_running {
            return;
        }
        tokio::select! {
            // Its last word is in all metrics alone.
            changed = seldom.changed() => is_running = changed.is_ok(),
            () = group.stopping() => return,
        }
    }
}

/// Whether all metrics are as new as the part of them that seldom changes.
fn agree(seldom: &RaftServerMetrics<TypeConfig>, all: &RaftMetrics<TypeConfig>) -> bool {
    seldom.vote == all.vote
        && seldom.state == all.state
        && seldom.current_leader == all.current_leader
        && seldom.membership_config == all.membership_config
}

fn log_changes(old: &View, new: &View) {
    if old.leader != new.leader {
        match &new.leader {
            Some(leader) => {
                tracing::info!(leader = leader.member.node_id, term = leader.term, "leader")
            }
            None => tracing::warn!(term = new.term, "no leader"),
        }
    }
    if old.membership != new.membership {
        let members: Vec<String> = new
            .members()
            .map(|(_, member, voter)| {
                format!(
                    "{} ({})",
                    member.node_id,
                    if voter { "voter" } else { "learner" }
                )
            })
            .collect();
        tracing::info!(members = members.join(", "), "members");
    }
}
