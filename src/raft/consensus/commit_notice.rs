//! Notifies a lagging follower of a commit without waiting for the next append.
//!
//! A write that arrives at a follower carries the last log position that the follower knows of
//! ([`crate::raft::apply::evidence`]). The write is rejected if its `node.id` was written after
//! that position.
//!
//! openraft sends a follower one append at a time. A follower with a slow disk therefore learns of
//! no later entry while it stores an append. If a client is acknowledged by another node and next
//! writes through this follower, the write would be rejected. To prevent this, the leader sends
//! such a follower a status message, which needs no disk, before it acknowledges an entry.
//!
//! If an entry has only one client's write, the leader also waits briefly for the responses to its
//! status messages. That client may write through the follower as soon as it is acknowledged.

use crate::raft::group::Group;
use crate::raft::monitor::peer_status;
use crate::raft::transport::{Channel, Request};
use futures_util::future::join_all;
use std::time::Duration;

/// Minimum time between two status messages to one follower under load. Under load each entry
/// carries the writes of many clients, and few of these clients change to another node. For an
/// entry with a single write there is no minimum.
pub(crate) const PACE: Duration = Duration::from_millis(20);

/// Maximum delay of a client's acknowledgement while lagging followers respond to the status
/// messages of [`send`]. It applies only to an entry with a single write.
const MAX_WAIT: Duration = Duration::from_millis(3);

/// Sends a status message to each reachable follower to which the entry at `index` has not been
/// sent yet.
pub(crate) async fn send(group: &Group, index: u64, commands: usize) {
    let is_alone = commands == 1;
    let pace = if is_alone { Duration::ZERO } else { PACE };
    let lagging = group.peers.lagging(index, pace);
    if lagging.is_empty() {
        return;
    }
    let mut notices = Vec::new();
    for (id, member, _) in peer_status::other_members(group) {
        if !lagging.contains(&id) {
            continue;
        }
        let (peers, request) = (
            group.peers.clone(),
            Request::Status(peer_status::own(group)),
        );
        notices.push(tokio::spawn(async move {
            // Failure is harmless: the next append carries the commit index too.
            let _ = peers
                .call(
                    id,
                    &member,
                    Channel::Control,
                    request,
                    peer_status::STATUS_TIMEOUT,
                )
                .await;
            peers.note_notified(id);
        }));
    }
    if is_alone {
        // A timeout is ignored, because the write is already committed.
        let _ = tokio::time::timeout(MAX_WAIT, join_all(notices)).await;
    }
}
