//! Watches the free disk space. Below a floor this node proposes nothing and takes no entries, so
//! that it hands over and waits instead of failing a write (docs/decisions/0012).

use crate::raft::group::{Group, paced};
use crate::raft::log_target;
use crate::raft::membership::transfer_leadership;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Between two looks at the free space: a node at full load writes far less than the floor within this.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Watches the free space until the group is gone.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(LOOK_INTERVAL);
    while group.next(&mut pace).await {
        let store = group.store().clone();
        let work = store.work();
        let looked = work.run(move || store.space()).await;
        let Ok(Ok(space)) = looked else {
            // A disk that cannot be asked fails at its next write, and stops the process then.
            continue;
        };
        let was_low = group.disk_low.swap(space.below_floor, Ordering::Relaxed);
        match (was_low, space.below_floor) {
            (false, true) => tracing::error!(
                target: log_target::SPACE,
                free_bytes = space.free_bytes,
                floor_bytes = space.floor_bytes,
                "the disk is almost full: this node takes no writes until there is space"
            ),
            (true, false) => tracing::info!(
                target: log_target::SPACE,
                free_bytes = space.free_bytes,
                "there is space on the disk again"
            ),
            _ => {}
        }
        if space.below_floor && group.leads() && a_majority_has_space(&group) {
            transfer_leadership::hand_over(&group).await;
        }
    }
}

/// Whether the others could go on without this node's disk. If not, a new leader could not commit its first entry, and
/// reads would end with it; the old one at least confirms those.
fn a_majority_has_space(group: &Group) -> bool {
    let view = group.view().borrow().clone();
    let own = group.raft_id();
    let well = view
        .members()
        .filter(|(id, _, voter)| *voter && *id != own)
        .filter(|(id, ..)| group.peers.is_reachable(*id) && !group.peers.known(*id).disk_low)
        .count();
    well > view.voters() / 2
}
