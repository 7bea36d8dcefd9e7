//! The values of a node that a scrape of its metrics reads.

use super::bootstrap::group_discovery::Bootstrap;
use super::group::Group;
use super::status::{self, Status};
use crate::model::{CoordinatorQuery, Engine};
use crate::registry::NodeCounts;
use crate::storage::SpaceState;
use openraft::async_runtime::WatchReceiver;
use std::time::Duration;

/// Maximum time to wait for the disk to report its space.
const DISK_TIME_LIMIT: Duration = Duration::from_secs(1);

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
    /// What happened to announced nodes since this node started the group.
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
    let store = bootstrap.options.store.clone();
    let (work, log_bytes) = (store.work(), store.log_bytes());
    let asked = work.run(move || (store.space().ok(), store.snapshots().newest_bytes().ok()));
    let asked = tokio::time::timeout(DISK_TIME_LIMIT, asked).await;
    let (disk, snapshot_bytes) = asked.map_or((None, None), |asked| asked.unwrap_or_default());
    NodeSample {
        status: status::of(bootstrap, group),
        log_bytes,
        disk,
        snapshot_bytes,
        group: group.map(in_group),
    }
}

fn in_group(group: &Group) -> GroupSample {
    let committed = group.raft.metrics().borrow_watched().cluster_committed;
    let registry = group.replica.registry();
    let coordinators = Engine::ALL.map(|engine| {
        let query = CoordinatorQuery {
            engine: Some(engine),
            pool: None,
        };
        let found = registry.coordinators(&query);
        (
            engine.service_type(),
            found.found.len() + found.unusable.len(),
        )
    });
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
