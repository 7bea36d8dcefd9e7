//! Tests of the first layer with histories written by hand.
//!
//! For each rule, one history keeps it and one breaks it.

use super::by_hand::{announce, announce_types, lookup, lookup_all, max_age, withdraw};
use crate::groups::{GroupsReport, check_groups};
use crate::history::Operation;

fn check(history: &[Operation]) -> GroupsReport {
    check_groups(history, max_age(), &mut || false)
}

fn is_legal(history: &[Operation]) -> bool {
    let report = check(history);
    assert!(
        report
            .broken
            .iter()
            .all(|group| group.explanation.is_some()),
        "decided"
    );
    report.is_linearizable()
}

/// An acknowledged announcement must be in later lookups, and may be in concurrent ones.
#[test]
fn an_acknowledged_announcement_is_seen_from_its_return_on() {
    let acked = announce("a", 1).at(0, 10, 1);
    assert!(is_legal(&[
        acked.clone(),
        lookup(&[("a", 1)]).at(11, 12, 1)
    ]));
    assert!(is_legal(&[acked.clone(), lookup(&[]).at(5, 12, 0)]));
    assert!(is_legal(&[acked.clone(), lookup(&[("a", 1)]).at(1, 2, 1)]));
    assert!(!is_legal(&[acked, lookup(&[]).at(11, 12, 0)]), "lost");
}

/// If a lookup of any client returned before another lookup was called, the later lookup must not
/// show an older announcement.
#[test]
fn a_stale_lookup_is_found() {
    let history = |last: u64| {
        [
            announce("a", 1).at(0, 1, 1),
            announce("a", 2).at(2, 30, 2),
            lookup(&[("a", 2)]).at(3, 4, 2),
            lookup(&[("a", last)]).at(5, 6, 2),
        ]
    };
    assert!(is_legal(&history(2)));
    assert!(!is_legal(&history(1)));
}

/// A mixture of two states across the nodes of a group is detected, even if the history of each
/// single node is legal.
#[test]
fn a_fractured_lookup_is_found() {
    let writes = [
        announce("a", 1).at(0, 1, 1),
        announce("b", 2).at(0, 1, 2),
        announce("a", 3).at(10, 20, 3),
        announce("b", 4).at(10, 20, 4),
    ];
    let with = |one: &[(&str, u64)], other: &[(&str, u64)]| {
        let lookups = [lookup(one).at(11, 19, 4), lookup(other).at(11, 19, 4)];
        [writes.to_vec(), lookups.to_vec()].concat()
    };
    assert!(is_legal(&with(
        &[("a", 3), ("b", 2)],
        &[("a", 3), ("b", 4)]
    )));
    assert!(!is_legal(&with(
        &[("a", 3), ("b", 2)],
        &[("a", 1), ("b", 4)]
    )));
}

/// A node may expire once max-age less 1 % has passed since the call of its last renewal, not since
/// its first announcement. A late expiry is always legal.
#[test]
fn an_early_expiry_is_found_and_a_late_one_is_none() {
    let history = |absent_ms: u64| {
        [
            announce("a", 1).at(0, 1, 1),
            announce("a", 1).at(50, 51, 2),
            lookup(&[]).at(absent_ms - 1, absent_ms, 3),
        ]
    };
    assert!(!is_legal(&history(110)));
    assert!(!is_legal(&history(148)));
    assert!(is_legal(&history(149)));
    let late = [
        announce("a", 1).at(0, 1, 1),
        lookup(&[("a", 1)]).at(9_000, 9_001, 1),
    ];
    assert!(is_legal(&late), "cluster time may stand still");
}

/// A node that was missing from a lookup must not reappear without a new announcement.
#[test]
fn a_resurrection_is_found() {
    let history = [
        announce("a", 1).at(0, 1, 1),
        lookup(&[]).at(150, 151, 2),
        lookup(&[("a", 1)]).at(152, 153, 3),
    ];
    assert!(!is_legal(&history));
    let renewed = [&history[..], &[announce("a", 1).at(151, 153, 3)]].concat();
    assert!(is_legal(&renewed));
    let withdrawn = [
        announce("a", 1).at(0, 1, 1),
        withdraw("a").at(2, 3, 2),
        lookup(&[("a", 1)]).at(4, 5, 2),
    ];
    assert!(!is_legal(&withdrawn));
}

/// A change with an unknown outcome may take effect at any time after its call, or never, but not
/// twice.
#[test]
fn an_unknown_change_explains_what_it_can() {
    let acked = announce("a", 1).at(0, 1, 1);
    let unknown = announce("a", 2).unknown(2);
    let seen = |at_ms: u64, token: u64| lookup(&[("a", token)]).at(at_ms, at_ms + 1, 9);
    assert!(is_legal(&[
        acked.clone(),
        unknown.clone(),
        seen(10, 1),
        seen(20, 1)
    ]));
    assert!(is_legal(&[
        acked.clone(),
        unknown.clone(),
        seen(10, 1),
        seen(20, 2)
    ]));
    assert!(!is_legal(&[
        acked.clone(),
        unknown,
        seen(10, 2),
        seen(20, 1)
    ]));
    let left = withdraw("a").unknown(2);
    let absent = lookup(&[]).at(10, 11, 9);
    assert!(is_legal(&[acked.clone(), left.clone(), absent.clone()]));
    assert!(!is_legal(&[acked.clone(), absent.clone()]));
    assert!(!is_legal(&[acked, left, absent, seen(20, 1)]));
}

/// A renewal with an unknown outcome may restore a node that was withdrawn, that expired, or that
/// announced another token. Without such a renewal, the node must not reappear.
#[test]
fn an_unknown_renewal_brings_back_what_had_gone() {
    let age = 100;
    let held = announce("a", 1).at(0, 1, 1);
    let renewed = announce("a", 1).unknown(age + 10);
    let back = lookup(&[("a", 1)]).at(age + 20, age + 21, 9);
    let missed = lookup(&[]).at(age + 5, age + 6, 5);
    let withdrawn = withdraw("a").at(5, 6, 2);
    let other = announce("a", 2).at(5, 6, 2);
    for gone in [missed.clone(), withdrawn, other] {
        let without = [held.clone(), gone, back.clone()];
        assert!(!is_legal(&without), "{without:?}");
        assert!(is_legal(
            &[&without[..], std::slice::from_ref(&renewed)].concat()
        ));
    }
    let stayed = [held, lookup(&[("a", 1)]).at(age + 5, age + 6, 5), back];
    assert!(is_legal(&stayed));
    assert!(is_legal(&[&stayed[..], &[renewed]].concat()));
}

/// A withdrawal with an unknown outcome may take effect long after its call. It may come after the
/// last lookup that shows the node, but not between two lookups that show the node.
#[test]
fn an_unknown_withdrawal_comes_after_the_last_that_shows_the_node() {
    let held = announce("a", 1).at(0, 1, 1);
    let left = withdraw("a").unknown(2);
    let shown = |at| lookup(&[("a", 1)]).at(at, at + 1, 1);
    let missed = |at| lookup(&[]).at(at, at + 1, 2);
    let history = |more: &[Operation]| [&[held.clone(), left.clone()][..], more].concat();
    assert!(is_legal(&history(&[shown(10), shown(20), missed(30)])));
    assert!(!is_legal(&history(&[shown(10), missed(20), shown(30)])));
}

/// Dozens of renewals and withdrawals with unknown outcomes do not make the search longer if their
/// nodes stay registered.
#[test]
fn many_open_changes_cost_nothing() {
    let names: Vec<String> = (0..60).map(|number| format!("n{number:02}")).collect();
    let mut history = Vec::new();
    for (number, name) in (0..).zip(&names) {
        history.push(announce(name, number).at(number, number + 1, number));
        history.push(match number % 2 {
            0 => announce(name, number).unknown(100 + number),
            _ => withdraw(name).unknown(100 + number),
        });
    }
    let all: Vec<(&str, u64)> = names.iter().map(|name| &**name).zip(0..).collect();
    for at in 200..1_200 {
        history.push(lookup(&all).at(at, at + 2, 100));
    }
    let mut questions = 0;
    let report = check_groups(&history, max_age(), &mut || {
        questions += 1;
        questions > 100
    });
    assert!(report.is_linearizable(), "after {questions} questions");
}

/// Withdrawals with unknown outcomes do not make the search longer, even if their nodes are
/// announced again later. These withdrawals remain possible until the end of the history.
#[test]
fn open_withdrawals_of_nodes_that_live_on_cost_nothing() {
    let names: Vec<String> = (0..30).map(|number| format!("n{number:02}")).collect();
    let mut history = Vec::new();
    for (number, name) in (0..).zip(&names) {
        history.push(announce(name, number).at(number, number + 1, number));
        history.push(withdraw(name).unknown(100 + number));
        history.push(announce(name, number).at(2_000 + number, 2_001 + number, 200));
    }
    let all: Vec<(&str, u64)> = names.iter().map(|name| &**name).zip(0..).collect();
    for at in 200..1_200 {
        history.push(lookup(&all).at(at, at + 2, 100));
    }
    history.push(lookup(&all[1..]).at(1_300, 1_301, 100));
    let mut questions = 0;
    let report = check_groups(&history, max_age(), &mut || {
        questions += 1;
        questions > 100
    });
    assert!(report.is_linearizable(), "after {questions} questions");
}

/// Renewals with unknown outcomes do not make the search longer if all their nodes disappear in one
/// lookup, since no later lookup shows the nodes. This lookup overlaps with the last lookup that
/// shows the nodes.
#[test]
fn renewals_of_nodes_that_go_together_cost_nothing() {
    let age = max_age().least_life_ns();
    let names: Vec<String> = (0..30).map(|number| format!("n{number:02}")).collect();
    let mut history = Vec::new();
    for (number, name) in (0..).zip(&names) {
        history.push(announce(name, number).at(number, number + 1, number));
        history.push(announce(name, number).unknown(age + 100 + number));
    }
    let all: Vec<(&str, u64)> = names.iter().map(|name| &**name).zip(0..).collect();
    history.push(lookup(&all).at(age + 200, age + 210, 100));
    for at in 0..100 {
        history.push(lookup(&[]).at(age + 205 + at, age + 206 + at, 101));
    }
    let mut questions = 0;
    let report = check_groups(&history, max_age(), &mut || {
        questions += 1;
        questions > 100
    });
    assert!(report.is_linearizable(), "after {questions} questions");
}

/// A renewal with an unknown outcome does not make a later expiry illegal. It does not explain a
/// lookup that shows the renewed token before the call of the renewal.
#[test]
fn an_unknown_renewal_promises_nothing() {
    let acked = announce("a", 1).at(0, 1, 1);
    let renewal = announce("a", 1).unknown(80);
    let absent = lookup(&[]).at(110, 111, 2);
    assert!(is_legal(&[acked.clone(), renewal.clone(), absent.clone()]));
    let back = lookup(&[("a", 1)]).at(112, 113, 3);
    assert!(is_legal(&[
        acked.clone(),
        renewal,
        absent.clone(),
        back.clone()
    ]));
    assert!(!is_legal(&[
        acked,
        announce("a", 1).unknown(114),
        absent,
        back
    ]));
}

/// A lookup that shows a refused announcement is a violation.
#[test]
fn a_refused_change_that_shows_is_found() {
    let refused = announce("a", 1).refused(0, 1);
    assert!(is_legal(&[refused.clone(), lookup(&[]).at(2, 3, 1)]));
    assert!(!is_legal(&[refused, lookup(&[("a", 1)]).at(2, 3, 1)]));
}

/// A lookup that shows a node with two tokens is a violation. A lookup may show two services of one
/// announcement.
#[test]
fn a_node_with_two_tokens_is_found() {
    let history = |found: &[(&str, u64)]| {
        [
            announce("a", 1).at(0, 9, 1),
            announce("a", 2).at(0, 9, 2),
            lookup(found).at(0, 9, 2),
        ]
    };
    assert!(!is_legal(&history(&[("a", 1), ("a", 2)])));
    assert!(is_legal(&history(&[("a", 2), ("a", 2)])));
}

/// An announcement that no longer names a type is a withdrawal from that type.
#[test]
fn a_type_that_is_dropped_is_a_withdrawal() {
    let history = |found: &[(&str, u64)]| {
        [
            announce_types("a", &["t", "u"], 1).at(0, 1, 1),
            announce_types("a", &["u"], 2).at(2, 3, 2),
            lookup(found).at(4, 5, 2),
        ]
    };
    assert!(is_legal(&history(&[])));
    assert!(!is_legal(&history(&[("a", 1)])));
    let wide = [lookup_all(&[("x", "t", 7)]).at(0, 1, 1)];
    assert!(is_legal(&wide), "left to the second layer");
}

/// An explanation names the operations concerned by their positions in the history.
#[test]
fn an_explanation_names_what_cannot_be_placed() {
    let history = [
        announce_types("x", &["other"], 5).at(0, 1, 1),
        announce("a", 1).at(0, 1, 2),
        announce("a", 2).at(2, 3, 3),
        lookup(&[("a", 1)]).at(4, 5, 3),
    ];
    let report = check(&history);
    let [broken] = &report.broken[..] else {
        panic!("one group of two is broken: {report:?}");
    };
    let explanation = broken.explanation.as_ref().expect("it is decided");
    assert_eq!(broken.group, ("t".into(), "p".into()));
    assert_eq!(explanation.placed, 2);
    assert_eq!(explanation.last_placed, [1, 2]);
    assert_eq!(explanation.stuck, [3]);
    let text = report.explain(&history);
    assert!(text.contains(&history[3].to_string()), "{text}");
}

/// A group whose search gave up is broken, and is reported as undecided.
#[test]
fn an_undecided_group_is_broken() {
    let mut history: Vec<Operation> = (0..14)
        .map(|node| announce(&format!("n{node}"), node).at(0, 10, 1))
        .collect();
    history.push(lookup(&[]).at(11, 12, 1));
    assert!(!is_legal(&history), "found with time enough");
    let report = check_groups(&history, max_age(), &mut || true);
    let undecided: Vec<bool> = report
        .broken
        .iter()
        .map(|group| group.explanation.is_none())
        .collect();
    assert_eq!(undecided, [true]);
    assert!(report.explain(&history).contains("undecided"));
}
