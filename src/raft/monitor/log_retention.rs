//! Snapshots and purges by the size of the log; openraft's own go by the number of entries, and an entry takes from 100 bytes to
//! 256 kB. A start reads the whole log, and applies what came after the snapshot.

use crate::raft::group::{Group, paced};
use openraft::async_runtime::WatchReceiver;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Between two looks: what a fast disk takes within it may come on top of each limit.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Keeps to the limits until the group is gone.
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
        let growth = group.store().log_growth();
        let is_large = growth.bytes_between(snapshot, applied) >= limits.snapshot_every_bytes;
        // A full disk takes no entries either. A group that has ended does neither.
        if is_large && !group.disk_low.load(Ordering::Relaxed) {
            let _ = group.raft.trigger().snapshot().await;
        }
        if group.store().log_bytes() > limits.max_bytes
            && let (Some(snapshot), Some(old)) = (snapshot, growth.index_before(limits.kept_bytes))
        {
            let _ = group.raft.trigger().purge_log(old.min(snapshot)).await;
        }
    }
}
