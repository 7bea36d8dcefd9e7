//! The task that detects when this node stops serving reads, for watchers that wait without sending
//! requests.

use crate::raft::group::{Group, paced};
use crate::raft::health::unavailable_reason;
use std::sync::Arc;
use std::time::Duration;

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// Time without a served read after which watchers are notified. It is below the 2 s that
/// docs/PROMISES.md promises, and longer than the pause of reads at an ordinary change of leader.
///
/// A node reads for itself twice a second (`peer_status`), and a killed leader is replaced within
/// about a second. If every change of leader notified the watchers, ten thousand long-polled
/// requests would end with an error, and every engine would retry at the same time.
const UNAVAILABLE_AFTER: Duration = Duration::from_millis(1_800);

/// Notifies the watchers whenever this node stops serving reads, until the group stops.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(CHECK_INTERVAL);
    while group.next(&mut pace).await {
        if is_unavailable(&group) {
            group
                .replica
                .watch_hub()
                .set_unavailable(Some(unavailable_reason(&group).to_string()));
            // Check again, because a read may have been served after the first check. If that read
            // cleared the reason before the reason was set above, the reason must be cleared again.
            if !is_unavailable(&group) {
                group.replica.watch_hub().set_unavailable(None);
            }
        }
    }
    group
        .replica
        .watch_hub()
        .set_unavailable(Some("this node is stopping".to_owned()));
}

/// Returns whether the last served read is too old.
///
/// A node that has never served a read does not count as unavailable, because no watcher depends on
/// it yet.
fn is_unavailable(group: &Group) -> bool {
    group
        .read_queue
        .since_served()
        .is_some_and(|ago| ago > UNAVAILABLE_AFTER)
}
