//! Tests of promise e (docs/PROMISES.md) by both layers, with histories written by hand.
//!
//! Each history has overlapping writes of one node id (of two node ids in
//! `other_nodes_forbid_nothing`), and is judged with the log. Times are in ms. In most histories,
//! the earlier write arrives at 12, and the later write is called at 20.

use super::by_hand::{announce, lookup, max_age, withdraw};
use super::certificates::{announced, check_with, kinds};
use crate::groups::check_groups;
use crate::history::Operation;
use crate::log::Applied;

const RENEWED: fn() -> Applied = || Applied::Renew { node: "a".into() };
const WITHDRAWN: fn() -> Applied = || Applied::Withdraw { node: "a".into() };

/// Returns the violations that the second layer finds, and whether the first layer finds an order.
fn check(history: &[Operation], log: &[(u64, Applied)]) -> (Vec<&'static str>, bool) {
    let report = check_groups(history, max_age(), &mut || false);
    (kinds(&check_with(history, log)), report.is_linearizable())
}

fn fine() -> (Vec<&'static str>, bool) {
    (Vec::new(), true)
}

fn broken() -> (Vec<&'static str>, bool) {
    (vec!["overtaken"], false)
}

/// A write must not take effect after an acknowledged withdrawal of its node if the write had
/// arrived before the withdrawal was called. The rule also holds if the write has an unknown
/// outcome or announces something new.
#[test]
fn a_ghost_after_a_withdrawal_is_found() {
    let history = |earlier: Operation, token: u64| {
        [
            announce("a", 1).at(0, 1, 1),
            earlier,
            withdraw("a").at(20, 40, 2),
            lookup(&[("a", token)]).at(60, 61, 3),
        ]
    };
    let log = |token| {
        [
            (1, announced("a", 1)),
            (2, WITHDRAWN()),
            (3, announced("a", token)),
        ]
    };
    for token in [1, 7] {
        let acked = announce("a", token).at(10, 50, 3).arrived(12);
        assert_eq!(check(&history(acked, token), &log(token)), broken());
        let unknown = announce("a", token).unknown(10).arrived(12);
        assert_eq!(check(&history(unknown, token), &log(token)), broken());
        // These announcements are not known to have arrived before the withdrawal was called, so
        // they may take effect before or after the withdrawal.
        let late = announce("a", token).at(10, 50, 3).arrived(20);
        assert_eq!(check(&history(late, token), &log(token)), fine());
        let unheard_of = announce("a", token).at(10, 50, 3);
        assert_eq!(check(&history(unheard_of, token), &log(token)), fine());
    }
}

/// An announcement that arrived earlier must not replace an announcement that was called later,
/// even if the later announcement is only a renewal. A withdrawal that arrived earlier must not
/// remove a node that announced itself later.
#[test]
fn an_old_write_over_a_newer_one_is_found() {
    for (newer, logged) in [(2, announced("a", 2)), (1, RENEWED())] {
        let history = [
            announce("a", 1).at(0, 1, 1),
            announce("a", 7).at(10, 50, 3).arrived(12),
            announce("a", newer).at(20, 40, 2),
            lookup(&[("a", 7)]).at(60, 61, 3),
        ];
        let log = [(1, announced("a", 1)), (2, logged), (3, announced("a", 7))];
        assert_eq!(check(&history, &log), broken());
    }
    let history = [
        announce("a", 1).at(0, 1, 1),
        withdraw("a").at(10, 50, 3).arrived(12),
        announce("a", 2).at(20, 40, 2),
        lookup(&[]).at(60, 61, 3),
    ];
    let log = [
        (1, announced("a", 1)),
        (2, announced("a", 2)),
        (3, WITHDRAWN()),
    ];
    assert_eq!(check(&history, &log), broken());
}

/// A history is legal if the write that arrived first takes effect first or was refused.
#[test]
fn what_keeps_the_order_passes() {
    let earlier = announce("a", 7).at(10, 50, 2).arrived(12);
    let first = [
        announce("a", 1).at(0, 1, 1),
        earlier,
        withdraw("a").at(20, 40, 3),
        lookup(&[]).at(60, 61, 3),
    ];
    let log = [
        (1, announced("a", 1)),
        (2, announced("a", 7)),
        (3, WITHDRAWN()),
    ];
    assert_eq!(check(&first, &log), fine());
    let refused = [
        announce("a", 1).at(0, 1, 1),
        announce("a", 7).refused(10, 50).arrived(12),
        withdraw("a").at(20, 40, 2),
        lookup(&[]).at(60, 61, 2),
    ];
    let log = [(1, announced("a", 1)), (2, WITHDRAWN())];
    assert_eq!(check(&refused, &log), fine());
}

/// A write may take effect after a later write with an unknown outcome. Only an acknowledged later
/// write forbids earlier writes. The client of a write with an unknown outcome must expect the
/// write to happen at any time.
#[test]
fn a_later_write_of_unknown_fate_forbids_nothing() {
    let history = [
        announce("a", 1).at(0, 1, 1),
        announce("a", 7).at(10, 50, 3).arrived(12),
        withdraw("a").unknown(20),
        lookup(&[("a", 7)]).at(60, 61, 3),
    ];
    let log = [
        (1, announced("a", 1)),
        (2, WITHDRAWN()),
        (3, announced("a", 7)),
    ];
    assert_eq!(check(&history, &log), fine());
}

/// A write that changes nothing may take effect after later writes. Such a write is a renewal or
/// another announcement of the content that the later writes stored, or a withdrawal of an absent
/// node.
#[test]
fn what_changes_nothing_may_come_late() {
    for logged in [RENEWED(), announced("a", 1)] {
        let history = [
            announce("a", 1).at(0, 1, 1),
            announce("a", 1).at(10, 50, 4).arrived(12),
            withdraw("a").at(20, 30, 2),
            announce("a", 1).at(32, 40, 3),
            lookup(&[("a", 1)]).at(60, 61, 4),
        ];
        let log = [
            (1, announced("a", 1)),
            (2, WITHDRAWN()),
            (3, announced("a", 1)),
            (4, logged),
        ];
        assert_eq!(check(&history, &log), fine());
    }
    let history = [
        announce("a", 1).at(0, 1, 1),
        withdraw("a").at(10, 50, 3).arrived(12),
        withdraw("a").at(20, 40, 2),
        lookup(&[]).at(60, 61, 3),
    ];
    let log = [(1, announced("a", 1)), (2, WITHDRAWN()), (3, WITHDRAWN())];
    assert_eq!(check(&history, &log), fine());
}

/// Two writes with unknown outcomes may have caused the same log entry. The entry is attributed to
/// the write that arrived last, because otherwise this legal history would be rejected. A write
/// with an unknown outcome need not be in the log at all.
#[test]
fn doubt_is_no_breach() {
    let history = [
        announce("a", 1).at(0, 1, 1),
        withdraw("a").unknown(10).arrived(12),
        withdraw("a").unknown(11).arrived(24),
        announce("a", 2).at(20, 40, 2),
        lookup(&[]).at(60, 61, 3),
    ];
    let log = [
        (1, announced("a", 1)),
        (2, announced("a", 2)),
        (3, WITHDRAWN()),
    ];
    assert_eq!(check(&history, &log), fine());
    assert_eq!(check(&history[..3], &log[..1]), fine());
    let one = [&history[..2], &history[3..]].concat();
    assert_eq!(check(&one, &log), broken());
}

/// The order of writes concerns one node only: writes of different nodes are not compared.
#[test]
fn other_nodes_forbid_nothing() {
    let history = [
        announce("a", 7).at(10, 50, 2).arrived(12),
        announce("b", 2).at(20, 40, 1),
        lookup(&[("a", 7), ("b", 2)]).at(60, 61, 2),
    ];
    let log = [(1, announced("b", 2)), (2, announced("a", 7))];
    assert_eq!(check(&history, &log), fine());
}

/// Announcement 1 is followed by two withdrawals with unknown outcomes, one of which arrived at 4.
/// A lookup at 5 finds nothing, announcement 2 is called at 10, and a lookup at 14 finds nothing
/// again. Each of the two lookups needs one of the withdrawals.
///
/// The withdrawal that arrived at 4 must not take effect after the announcement called at 10, so it
/// can explain only the lookup at 5. The search must use it there, and keep the other withdrawal
/// for the lookup at 14.
#[test]
fn the_withdrawal_that_is_barred_first_is_used_first() {
    let history = |first: Operation, second: Operation| {
        [
            announce("a", 1).at(0, 1, 1),
            first,
            second,
            lookup(&[]).at(5, 6, 2),
            announce("a", 2).at(10, 11, 3),
            lookup(&[("a", 2)]).at(12, 13, 3),
            lookup(&[]).at(14, 15, 4),
        ]
    };
    let log = [
        (1, announced("a", 1)),
        (2, WITHDRAWN()),
        (3, announced("a", 2)),
        (4, WITHDRAWN()),
    ];
    let open = |at| withdraw("a").unknown(at);
    for history in [
        history(open(2), open(3).arrived(4)),
        history(open(2).arrived(4), open(3)),
    ] {
        assert_eq!(check(&history, &log), fine());
    }
}
