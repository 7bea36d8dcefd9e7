//! The values of a node that a scrape of its metrics reads.

use super::bootstrap::group_discovery::Bootstrap;
use super::group::Group;
use super::status::{self, Status};
use crate::model::Engine;
use crate::registry::NodeCounts;
use crate::storage::{SpaceState, Store};
use openraft::async_runtime::WatchReceiver;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Maximum time to wait for the disk to report its space.
pub(super) const DISK_TIME_LIMIT: Duration = Duration::from_secs(1);

/// The values of a node at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSample {
    /// The status of the node.
    pub status: Status,
    /// The size of the records in the log, in bytes.
    pub log_bytes: u64,
    /// The space of the data directory. Absent if the disk does not report it in time.
    pub disk: Option<SpaceState>,
    /// The size of the newest snapshot in bytes. Absent if the disk does not report it in time.
    pub snapshot_bytes: Option<u64>,
    /// The values of the group. Absent while the node has no group.
    pub group: Option<GroupSample>,
}

/// The values of a group at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupSample {
    /// The index of the last entry that this node knows to be committed.
    pub committed_index: Option<u64>,
    /// The feature level of the group's commands.
    pub level: u32,
    /// Number of announced nodes.
    pub nodes: usize,
    /// Number of coordinators of each engine.
    pub coordinators: Vec<(&'static str, usize)>,
    /// The counts of joins and leaves of announced nodes.
    pub node_counts: NodeCounts,
    /// The rest of the time for which no announcement expires, in milliseconds.
    pub grace_left_ms: u64,
    /// Number of writes that wait on this node.
    pub writes_waiting: usize,
    /// Number of ReadIndex rounds that confirmed an index.
    pub read_rounds: u64,
    /// Number of ReadIndex rounds that failed.
    pub failed_read_rounds: u64,
    /// Number of leaders that this node has learned of.
    pub leaders: u64,
}

/// Reads the values of a node. Waits only for the disk, and only for a limited time.
pub(super) async fn of(bootstrap: &Bootstrap, group: Option<&Group>) -> NodeSample {
    let log_bytes = bootstrap.options.store.log_bytes();
    let (disk, snapshot_bytes) = of_disk(bootstrap.options.store.clone()).await;
    NodeSample {
        status: status::of(bootstrap, group),
        log_bytes,
        disk,
        snapshot_bytes,
        group: group.map(in_group),
    }
}

/// Asks the disk for its space and for the size of the newest snapshot. Asks nothing while an
/// earlier question has no answer, so that a hanging disk holds at most one thread.
async fn of_disk(store: Store) -> (Option<SpaceState>, Option<u64>) {
    static IS_ASKED: AtomicBool = AtomicBool::new(false);
    if IS_ASKED.swap(true, Ordering::AcqRel) {
        return (None, None);
    }
    let work = store.work();
    let asked = work.run(move || {
        let answer = (store.space().ok(), store.snapshots().newest_bytes().ok());
        IS_ASKED.store(false, Ordering::Release);
        answer
    });
    match tokio::time::timeout(DISK_TIME_LIMIT, asked).await {
        Ok(Ok(answer)) => answer,
        _ => (None, None),
    }
}

fn in_group(group: &Group) -> GroupSample {
    let committed = group.raft.metrics().borrow_watched().cluster_committed;
    let registry = group.replica.registry();
    let coordinators =
        Engine::ALL.map(|engine| (engine.service_type(), registry.coordinator_nodes(engine)));
    GroupSample {
        committed_index: committed.map(|id| id.index()),
        level: registry.level(),
        nodes: registry.node_count(),
        coordinators: coordinators.to_vec(),
        node_counts: registry.node_counts(),
        grace_left_ms: registry.grace_left_ms(),
        writes_waiting: group.write_queue.waiting(),
        read_rounds: group.counters.read_rounds.read(),
        failed_read_rounds: group.counters.failed_read_rounds.read(),
        leaders: group.counters.leaders.read(),
    }
}
