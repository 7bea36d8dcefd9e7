//! Watches whether this node serves reads, for those who wait on it without asking again.

use crate::raft::group::{Group, paced};
use crate::raft::health::plight;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// With no read served for this long, those who wait are told. The promise is 2 s. A node reads for itself twice a second
/// (`peer_status`) and a killed leader is replaced within about a second, so that a plain change of leader stays below it:
/// ending ten thousand holds with an error would have every engine retry at once.
const LOST_AFTER: Duration = Duration::from_millis(1_800);

/// Watches until the group is told to stop.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(LOOK_INTERVAL);
    while group.next(&mut pace).await {
        if is_lost(&group) {
            group.replica.feeds().set_lost(Some(plight(&group)));
            // Looked at again: a read that was served between the two has said so before it was unsaid.
            if !is_lost(&group) {
                group.replica.feeds().set_lost(None);
            }
        }
    }
    group
        .replica
        .feeds()
        .set_lost(Some("this node is stopping".to_owned()));
}

/// None yet is no loss: nobody waits who was not served before.
fn is_lost(group: &Group) -> bool {
    group
        .reads
        .since_served()
        .is_some_and(|ago| ago > LOST_AFTER)
}
