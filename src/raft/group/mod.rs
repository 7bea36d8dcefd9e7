//! The group of which this node is a member: openraft and the parts built around it.

pub(super) mod join_requests;
pub(super) mod view;

use super::apply::replica::Replica;
use super::apply::state_machine::StateMachine;
use super::apply::tick_timing::STEP;
use super::counters::GroupCounters;
use super::error::{DiskFull, Unavailable};
use super::log_target;
use super::options::Options;
use super::queue::keyed_mutex::KeyedMutex;
use super::queue::read_queue::{ReadQueue, ReadWorker};
use super::queue::write_queue::{WriteQueue, WriteWorker};
use super::transport::identity::NodeIdentity;
use super::transport::peers::Peers;
use super::transport::{CallError, Channel, Request, Response};
use crate::clock::{self, Instant};
use crate::registry::{Batch, Command};
use crate::storage::types::{RaftId, TypeConfig};
use crate::storage::{SpaceState, Store};
use join_requests::JoinRequests;
use openraft::ServerState;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use view::{Leader, RaftView};

/// openraft with the types and the state machine of this program.
pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;

/// Maximum time since the last served read for a node to count as serving.
const SERVES_WITHIN: Duration = Duration::from_secs(2);

/// The state of a formed group, shared by its tasks.
pub(crate) struct Group {
    pub(crate) raft: Raft,
    pub(crate) replica: Arc<Replica>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) read_queue: ReadQueue,
    pub(crate) write_queue: WriteQueue,
    pub(crate) options: Options,
    pub(crate) join_requests: JoinRequests,
    pub(crate) counters: GroupCounters,
    /// Whether the free disk space is below the floor (`monitor/disk_space.rs`).
    pub(crate) disk_low: AtomicBool,
    /// The free disk space when it was last looked at. Absent if it could not be read.
    pub(crate) disk_space: Mutex<Option<SpaceState>>,
    /// Serializes the writes of each node id.
    pub(crate) write_order: KeyedMutex,
    /// The time at which this process started the group.
    pub(crate) started: Instant,
    /// Whether writes no longer wait for a higher feature level of commands
    /// (`membership/feature_level.rs`).
    pub(crate) is_settled: AtomicBool,
    founders: Vec<(NodeIdentity, String)>,
    view: watch::Receiver<RaftView>,
    stop: watch::Sender<bool>,
}

impl Group {
    /// Creates a group around a running openraft. Also returns the workers of its two queues, which
    /// the caller must run.
    pub(crate) fn new(
        raft: Raft,
        replica: Arc<Replica>,
        peers: Arc<Peers>,
        options: Options,
        founders: Vec<(NodeIdentity, String)>,
        view: watch::Receiver<RaftView>,
    ) -> (Group, ReadWorker, WriteWorker) {
        let (reads, rounds) = ReadQueue::new();
        let (writes, batches) = WriteQueue::new();
        let group = Group {
            raft,
            replica,
            peers,
            read_queue: reads,
            write_queue: writes,
            options,
            join_requests: JoinRequests::default(),
            counters: GroupCounters::default(),
            disk_low: AtomicBool::new(false),
            disk_space: Mutex::default(),
            write_order: KeyedMutex::default(),
            started: clock::now(),
            is_settled: AtomicBool::new(false),
            founders,
            view,
            stop: watch::Sender::new(false),
        };
        (group, rounds, batches)
    }

    pub(crate) fn view(&self) -> watch::Receiver<RaftView> {
        self.view.clone()
    }

    pub(crate) fn raft_id(&self) -> RaftId {
        self.peers.raft_id()
    }

    /// Returns the nodes that formed the group, with their addresses at that time.
    pub(crate) fn founders(&self) -> &[(NodeIdentity, String)] {
        &self.founders
    }

    pub(crate) fn store(&self) -> &Store {
        &self.options.store
    }

    /// Returns whether this node leads the group.
    pub(crate) fn leads(&self) -> bool {
        self.view.borrow().state == ServerState::Leader
    }

    /// Wraps commands in a batch with the settings that `apply` reads, so that a rolling change of
    /// configuration cannot make replicas diverge.
    pub(crate) fn batch(&self, commands: Vec<Command>) -> Batch {
        Batch {
            max_age_ms: self.options.max_age.as_millis() as u64,
            step_ms: STEP.as_millis() as u64,
            commands,
        }
    }

    /// Sends a request to the leader.
    ///
    /// # Errors
    /// The errors of [`Peers::call`].
    pub(crate) async fn ask_leader(
        &self,
        leader: &Leader,
        channel: Channel,
        request: Request,
        limit: Duration,
    ) -> Result<Response, CallError> {
        self.peers
            .call(leader.id, &leader.member, channel, request, limit)
            .await
    }

    /// Returns once this node has applied everything that was acknowledged before the call.
    ///
    /// # Errors
    /// When, by the deadline, no majority has confirmed a read index, or this node has not applied
    /// that index.
    pub(crate) async fn confirm_applied(&self, deadline: Instant) -> Result<(), Unavailable> {
        let index = self.read_queue.index(deadline).await?;
        self.replica.evidence().note_committed(index);
        self.wait_applied(index, deadline).await?;
        self.read_queue.note_served();
        self.replica.watch_hub().set_unavailable(None);
        Ok(())
    }

    /// Returns once this node has applied an index.
    ///
    /// # Errors
    /// When this node has not applied the index by the deadline.
    pub(crate) async fn wait_applied(
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
            _ => Err(Unavailable::Behind),
        }
    }

    /// Returns whether this node has served a read recently, as a healthy member does.
    pub(crate) fn serves(&self) -> bool {
        self.read_queue
            .since_served()
            .is_some_and(|ago| ago <= SERVES_WITHIN)
    }

    /// Checks whether this node's disk has space for log entries.
    ///
    /// # Errors
    /// When the free space is below the floor.
    pub(crate) fn check_disk_space(&self) -> Result<(), DiskFull> {
        match self.disk_low.load(Ordering::Relaxed) {
            true => Err(DiskFull {
                node_id: self.options.node_id.clone(),
            }),
            false => Ok(()),
        }
    }

    /// Resolves when this node no longer leads.
    pub(crate) async fn lost_leadership(&self) {
        // An error means that the group has ended, and the leadership with it.
        let _ = self
            .view()
            .wait_for(|view| view.state != ServerState::Leader)
            .await;
    }

    /// Resolves when the group is stopping.
    pub(crate) async fn stopping(&self) {
        // An error means that the group has ended.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Waits for the next tick of a task's interval. Returns `false` when the task must end.
    pub(crate) async fn next(&self, pace: &mut Interval) -> bool {
        tokio::select! {
            _ = pace.tick() => true,
            () = self.stopping() => false,
        }
    }

    /// Stops the tasks and openraft. The data on disk is unchanged.
    pub(crate) async fn shut_down(&self) {
        self.stop.send_replace(true);
        if let Err(error) = self.raft.shutdown().await {
            tracing::debug!(target: log_target::GROUP, "openraft ended with {error}");
        }
    }
}

/// Creates the interval of a periodic task. Missed ticks are not made up for, because one run is
/// enough after a pause.
pub(crate) fn paced(period: Duration) -> Interval {
    let mut pace = tokio::time::interval(period);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}
