//! Snapshots and purges triggered by the size of the log.
//!
//! At its start, a node reads the whole log and applies the entries after the snapshot. openraft
//! triggers snapshots and purges by the number of entries. This number does not limit the duration
//! of a start, because an entry takes from 100 bytes to 256 kB.

use crate::raft::group::{Group, paced};
use openraft::async_runtime::WatchReceiver;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time between two checks. The log may exceed each limit by as much as a fast disk writes in this
/// time.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Takes snapshots and purges the log when its size exceeds the limits, until the group stops.
pub(crate) async fn run(group: Arc<Group>) {
    let limits = group.options.log_limits;
    let mut pace = paced(LOOK_INTERVAL);
    while group.next(&mut pace).await {
        let snapshot = {
            let metrics = group.raft.metrics();
            let snapshot = metrics.borrow_watched().snapshot;
            snapshot.map(|id| id.index)
        };
        let applied = group.replica.registry().applied_index();
        let size_index = group.store().log_growth();
        let is_large = size_index.bytes_between(snapshot, applied) >= limits.snapshot_every_bytes;
        // Take no snapshot on a full disk, because a snapshot needs space. The log does not grow
        // while the disk is full, since the node accepts no entries. The triggers fail only once
        // the group has ended, so their errors are ignored.
        if is_large && !group.disk_low.load(Ordering::Relaxed) {
            let _ = group.raft.trigger().snapshot().await;
        }
        if group.store().log_bytes() > limits.max_bytes
            && let (Some(snapshot), Some(old)) =
                (snapshot, size_index.index_before(limits.kept_bytes))
        {
            let _ = group.raft.trigger().purge_log(old.min(snapshot)).await;
        }
    }
}
