//! Tells a follower that is behind what is committed, before its log brings it.
//!
//! A write that comes to a follower is refused if it touches a node id that was written since that
//! follower last heard of the log ([`crate::raft::apply::evidence`]). openraft sends a follower one append after
//! the other, so while a slow disk takes one the follower hears of nothing. A client that is
//! acknowledged by another node and comes to this one at once would then be refused. So the leader
//! sends such a follower a pulse, which needs no disk, before it acknowledges.
//!
//! An entry of one client alone waits for the answers, for a moment: the client may come to the
//! follower as soon as it is acknowledged.

use crate::raft::group::Group;
use crate::raft::monitor::peer_status;
use crate::raft::transport::{Lane, Request};
use futures_util::future::join_all;
use std::time::Duration;

/// Between two pulses to one follower under load, where each entry is of many clients and few of
/// them change to another node. For an entry of one client alone there is no such limit.
pub(crate) const PACE: Duration = Duration::from_millis(20);

/// How long the acknowledgement of one client's write waits for the answers to its pulses.
const MOST_WAIT: Duration = Duration::from_millis(3);

/// Tells the followers to which the entry at `index` has not been sent yet, if they answer at all.
pub(crate) async fn tell(group: &Group, index: u64, commands: usize) {
    let is_alone = commands == 1;
    let pace = if is_alone { Duration::ZERO } else { PACE };
    let lagging = group.peers.lagging(index, pace);
    if lagging.is_empty() {
        return;
    }
    let mut told = Vec::new();
    for (id, member, _) in peer_status::other_members(group) {
        if !lagging.contains(&id) {
            continue;
        }
        let (peers, request) = (group.peers.clone(), Request::Pulse(peer_status::own(group)));
        told.push(tokio::spawn(async move {
            // It brings what it can; the next append brings the rest.
            let _ = peers
                .call(
                    id,
                    &member,
                    Lane::Control,
                    request,
                    peer_status::PULSE_TIMEOUT,
                )
                .await;
            peers.note_told(id);
        }));
    }
    if is_alone {
        // Whether or not they have answered: the write is done.
        let _ = tokio::time::timeout(MOST_WAIT, join_all(told)).await;
    }
}
