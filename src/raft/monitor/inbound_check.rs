//! A leader that the others cannot reach hands over.
//!
//! A firewall that lets connections out and none in, or a listener that is dead, leaves a leader that replicates as before
//! while no read and no write of another node reaches it. Raft sees nothing amiss: its requests all come from the leader.

use crate::clock::{self, Instant};
use crate::raft::group::view::View;
use crate::raft::group::{Group, paced};
use crate::raft::log_target;
use crate::raft::membership::transfer_leadership;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Looks that lie so far apart were not late, they were held up.
const STOPPED_AFTER: Duration = Duration::from_millis(500);
/// A member asks every other one something at least twice a second: its pulse.
const SILENT_AFTER: Duration = Duration::from_millis(1_000);
/// One that also gives no answers is dead or frozen, and nobody to hand over to; answers come with every heartbeat.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

/// Looks whether the others reach this node, as long as it leads, until the group is gone.
pub(crate) async fn run(group: Arc<Group>) {
    let mut pace = paced(LOOK_INTERVAL);
    let mut led = Led::new(&group);
    let mut looked = clock::now();
    while group.next(&mut pace).await {
        let now = clock::now();
        // While this process was stopped nobody's request could be heard.
        let was_stopped = now.duration_since(looked) > STOPPED_AFTER;
        looked = now;
        if was_stopped || led.view != *group.view().borrow() {
            led = Led::new(&group);
        }
        if group.leads() && is_unreached(&group, &led) {
            tracing::warn!(
                target: log_target::HEARING,
                "a majority answers this node and cannot reach it: it hands over the leadership"
            );
            transfer_leadership::hand_over(&group).await;
            // One that found nobody is tried again after as long a silence, and not at every look.
            led = Led::new(&group);
            looked = led.since;
        }
    }
}

/// How things were arranged, and since when: nobody owes a request from before.
struct Led {
    view: View,
    since: Instant,
}

impl Led {
    fn new(group: &Group) -> Led {
        Led {
            view: group.view().borrow().clone(),
            since: clock::now(),
        }
    }
}

fn is_unreached(group: &Group, led: &Led) -> bool {
    let own = group.raft_id();
    let others = led.view.members();
    let others = others.filter(|(id, _, voter)| *voter && *id != own);
    let now = clock::now();
    let silent = others
        .map(|(id, ..)| group.peers.known(id))
        .filter(|known| {
            answers_and_is_silent(known.last_answer, known.last_request, led.since, now)
        })
        .count();
    // They must be a majority without this node: it would not hear a new leader.
    silent > led.view.voters() / 2
}

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

    /// Who answers and asks nothing cannot reach this node; who does neither is gone; and a new leader waits before it judges.
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
