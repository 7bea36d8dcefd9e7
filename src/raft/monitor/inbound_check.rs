//! The task that makes a leader transfer its leadership if the other members cannot reach it.
//!
//! The cause may be a firewall that allows outgoing connections only, or a dead listener. Such a
//! leader replicates as before, but no read or write of another node reaches it. Raft does not
//! detect the failure, because all requests of a working Raft group come from the leader.

use crate::clock::{self, Instant};
use crate::raft::group::view::RaftView;
use crate::raft::group::{Group, paced};
use crate::raft::log_target;
use crate::raft::membership::transfer_leadership;
use std::sync::Arc;
use std::time::Duration;

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// Time between two checks above which this process must have been paused. After a pause, missing
/// requests prove nothing.
const STOPPED_AFTER: Duration = Duration::from_millis(500);
/// Time without a request after which a member counts as silent. Every member sends a status
/// message to each other member at least twice a second.
const SILENT_AFTER: Duration = Duration::from_millis(1_000);
/// Maximum age of a member's last answer for the member to count as alive. A member that neither
/// sends requests nor answers is dead or frozen, and cannot take over the leadership. Live members
/// answer every heartbeat.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

/// Checks, while this node leads, whether the other members reach it. Runs until the group stops.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(CHECK_INTERVAL);
    let mut leadership = UnchangedView::new(&group);
    let mut checked = clock::now();
    while group.next(&mut pace).await {
        let now = clock::now();
        // A paused process receives no requests, so their absence proves nothing.
        let was_stopped = now.duration_since(checked) > STOPPED_AFTER;
        checked = now;
        if was_stopped || leadership.view != *group.view().borrow() {
            leadership = UnchangedView::new(&group);
        }
        if group.leads() && is_unreached(&group, &leadership) {
            tracing::warn!(
                target: log_target::HEARING,
                "a majority answers this node but cannot reach it: handing over the leadership"
            );
            transfer_leadership::run(&group).await;
            // Restart the measurement of silence. If no successor took over, the next attempt is
            // made after another `SILENT_AFTER` of silence, and not at the next check.
            leadership = UnchangedView::new(&group);
            checked = leadership.since;
        }
    }
}

/// The view of the group, and the time since which the view is unchanged. Only silence after that
/// time counts.
struct UnchangedView {
    view: RaftView,
    since: Instant,
}

impl UnchangedView {
    fn new(group: &Group) -> UnchangedView {
        UnchangedView {
            view: group.view().borrow().clone(),
            since: clock::now(),
        }
    }
}

/// Returns whether a majority of the voters answers this leader but sends no requests to it. Such
/// voters cannot reach this leader.
fn is_unreached(group: &Group, leadership: &UnchangedView) -> bool {
    let own = group.raft_id();
    let others = leadership.view.members();
    let others = others.filter(|(id, _, voter)| *voter && *id != own);
    let now = clock::now();
    let silent = others
        .map(|(id, ..)| group.peers.state(id))
        .filter(|known| {
            answers_and_is_silent(known.last_answer, known.last_request, leadership.since, now)
        })
        .count();
    // The silent voters alone must be a majority of all voters. If they elected a leader, that
    // leader could not reach this node, and they would have to commit without this node.
    silent > leadership.view.voters() / 2
}

/// Returns whether a member answers this node's requests but has sent none itself for
/// [`SILENT_AFTER`], counted from `since` at the earliest.
fn answers_and_is_silent(
    last_answer: Option<Instant>,
    last_request: Option<Instant>,
    since: Instant,
    now: Instant,
) -> bool {
    let answers = last_answer.is_some_and(|at| now.duration_since(at) <= ANSWERS_WITHIN);
    let last_request = last_request.map_or(since, |at| at.max(since));
    answers && now.duration_since(last_request) > SILENT_AFTER
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member that answers but sends no requests counts as cut off. A member that sends neither
    /// answers nor requests is down, and does not count. A new leader counts no member as cut off
    /// before it has led for [`SILENT_AFTER`].
    #[test]
    fn who_answers_and_asks_nothing_is_cut_off() {
        let now = clock::now() + Duration::from_secs(60);
        let ago = |ms| now - Duration::from_millis(ms);
        let is_cut_off = |answered_ms, asked_ms: Option<u64>, since_ms| {
            let asked = asked_ms.map(ago);
            answers_and_is_silent(Some(ago(answered_ms)), asked, ago(since_ms), now)
        };
        assert!(is_cut_off(100, Some(1_001), 30_000));
        assert!(is_cut_off(100, None, 30_000));
        assert!(!is_cut_off(100, Some(900), 30_000), "it asks");
        assert!(!is_cut_off(501, Some(1_001), 30_000), "it is gone");
        assert!(!is_cut_off(100, Some(1_001), 900), "a new leader");
    }
}
