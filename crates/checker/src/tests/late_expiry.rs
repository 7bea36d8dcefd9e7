//! Tests of promise d with histories written by hand.

use super::by_hand::{MS, announce, lookup};
use crate::history::Operation;
use crate::late_expiry::{Overstay, overstays};
use crate::window::Window;

/// Maximum silence of a node that is still shown: a max-age of 100 ms and an allowance of 20 ms.
const LONGEST_NS: u64 = 120 * MS;

fn check(from_ms: u64, history: &[Operation]) -> Vec<Overstay> {
    let span = Window {
        from_ns: from_ms * MS,
        to_ns: 1_000 * MS,
    };
    overstays(history, span, LONGEST_NS)
}

/// A node may be shown for at most [`LONGEST_NS`] after the return of its last renewal.
#[test]
fn a_node_that_stays_too_long_is_found() {
    let history = |called_ms: u64| {
        [
            announce("a", 1).at(0, 1, 1),
            announce("a", 1).at(50, 60, 2),
            lookup(&[("a", 1)]).at(called_ms, called_ms + 5, 2),
        ]
    };
    assert_eq!(check(0, &history(180)), []);
    let found = Overstay {
        lookup: 2,
        renewal: 1,
        silent_ns: 121 * MS,
    };
    assert_eq!(check(0, &history(181)), [found]);
    assert_eq!(
        check(62, &history(181)),
        [],
        "silence counts from the beginning of the span"
    );
    assert_eq!(
        check(0, &history(996)),
        [],
        "over after the end of the span"
    );
}

/// A late lookup may show a node after a renewal with an unknown outcome, or if a renewal was
/// called before the lookup was over. A refused renewal does not count.
#[test]
fn what_may_have_renewed_counts() {
    let acked = announce("a", 1).at(0, 1, 1);
    let late = lookup(&[("a", 1)]).at(200, 210, 2);
    assert_eq!(check(0, &[acked.clone(), late.clone()]).len(), 1);
    assert_eq!(
        check(
            0,
            &[acked.clone(), announce("a", 1).unknown(2), late.clone()]
        ),
        []
    );
    assert_eq!(
        check(
            0,
            &[
                acked.clone(),
                announce("a", 1).at(205, 220, 2),
                late.clone()
            ]
        ),
        []
    );
    let refused = announce("a", 1).refused(150, 160);
    assert_eq!(check(0, &[acked, refused, late]).len(), 1);
}
