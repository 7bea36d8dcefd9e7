//! Tests of the time at which announcements expire.

use crate::support::{Cluster, Options, until};
use quorate::clock;
use std::time::Duration;

const MAX_AGE: Duration = Duration::from_secs(3);
/// Maximum delay of an expiry after max-age: the documented limit, and a margin for the test's own
/// polling.
const LATE_LIMIT: Duration = Duration::from_millis(2_200);

/// A silent node disappears from all lookups between max-age and max-age + 2 s after its last
/// accepted renewal. A node that renews stays listed.
#[test]
fn a_silent_node_is_gone_between_max_age_and_two_seconds_more() {
    let cluster = Cluster::start(3, Options::max_age("3s").alone());
    for round in 0..2 {
        let silent = format!("silent-{round}");
        cluster.nodes[0].announce_acked("living", &silent, 1);
        // A renewal is the same body sent again, here through another node.
        let asked = clock::now();
        cluster.nodes[1].announce_acked("living", &silent, 1);
        let acked = clock::now();
        let mut gone = vec![None; cluster.nodes.len()];
        until(
            "a silent node goes from every lookup",
            Duration::from_secs(15),
            || {
                cluster.nodes[2].announce_acked("living", "renewing", 1);
                for (node, gone) in cluster.nodes.iter().zip(&mut gone) {
                    let called = clock::now();
                    let seen = node.tokens("living").expect("a healthy cluster serves");
                    assert!(
                        seen.contains_key("renewing"),
                        "a node that renews is gone: {seen:?}"
                    );
                    if !seen.contains_key(&silent) && gone.is_none() {
                        *gone = Some((called, clock::now()));
                    }
                }
                gone.iter().all(Option::is_some).then_some(())
            },
        );
        for (called, returned) in gone.into_iter().flatten() {
            assert!(
                returned - asked >= MAX_AGE,
                "gone after {:?}",
                returned - asked
            );
            assert!(
                called - acked <= MAX_AGE + LATE_LIMIT,
                "still there {:?} after",
                called - acked
            );
        }
    }
}
