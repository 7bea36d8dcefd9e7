//! Monitoring of the free disk space.
//!
//! If the free space is below a floor, this node proposes nothing and accepts no entries until
//! there is space again. A leader also transfers its leadership. Otherwise a failed write to the
//! disk would stop the process (docs/decisions/0012).

use crate::locks::lock;
use crate::raft::group::{Group, paced};
use crate::raft::log_target;
use crate::raft::membership::transfer_leadership;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time between two checks of the free space. A node at full load writes far less than the floor in
/// this time.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Checks the free space until the group stops.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(LOOK_INTERVAL);
    while group.next(&mut pace).await {
        let store = group.store().clone();
        let work = store.work();
        let looked = work.run(move || store.space()).await;
        let looked = looked.ok().and_then(Result::ok);
        *lock(&group.disk_space) = looked;
        let Some(space) = looked else {
            // If the free space cannot be read, the next write to the disk fails and stops the
            // process.
            continue;
        };
        let was_low = group.disk_low.swap(space.below_floor, Ordering::Relaxed);
        match (was_low, space.below_floor) {
            (false, true) => tracing::error!(
                target: log_target::SPACE,
                free_bytes = space.free_bytes,
                floor_bytes = space.floor_bytes,
                "the disk is almost full: this node accepts no writes until there is space"
            ),
            (true, false) => tracing::info!(
                target: log_target::SPACE,
                free_bytes = space.free_bytes,
                "there is space on the disk again"
            ),
            _ => {}
        }
        if space.below_floor && group.leads() && a_majority_has_space(&group) {
            transfer_leadership::run(&group).await;
        }
    }
}

/// Returns whether the other voters that are reachable and have disk space are a majority. Without
/// such a majority, a new leader could not commit its first entry, so reads would fail as well as
/// writes. The current leader can at least confirm reads.
fn a_majority_has_space(group: &Group) -> bool {
    let view = group.view().borrow().clone();
    let own = group.raft_id();
    let well = view
        .members()
        .filter(|(id, _, voter)| *voter && *id != own)
        .filter(|(id, ..)| group.peers.is_reachable(*id) && !group.peers.state(*id).disk_low)
        .count();
    well > view.voters() / 2
}
