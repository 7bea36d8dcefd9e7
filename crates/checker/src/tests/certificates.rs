//! Tests of the second layer with histories written by hand.
//!
//! For each rule, one history keeps it and one breaks it.

use super::by_hand::{announce, announce_types, lookup, lookup_all, max_age, withdraw};
use crate::certificate::{Certificate, Violation, certify};
use crate::history::Operation;
use crate::log::{Applied, CommittedLog, LogEntry};

fn check(history: &[Operation]) -> Certificate {
    certify(history, None, max_age())
}

/// Checks a history with a complete log of these entries.
pub fn check_with(history: &[Operation], entries: &[(u64, Applied)]) -> Certificate {
    certify(history, Some(&log(entries)), max_age())
}

fn log(entries: &[(u64, Applied)]) -> CommittedLog {
    let entries = entries.iter().map(|(index, applied)| LogEntry {
        index: *index,
        applied: vec![applied.clone()],
    });
    CommittedLog {
        from_index: 0,
        to_index: 99,
        is_complete: true,
        entries: entries.collect(),
    }
}

/// Returns the logged announcement of a node with one service.
pub fn announced(node: &str, token: u64) -> Applied {
    Applied::Announce {
        node: node.into(),
        pool: "p".into(),
        types: vec!["t".into()],
        token,
    }
}

/// Returns the kinds of the violations, for comparison.
pub fn kinds(certificate: &Certificate) -> Vec<&'static str> {
    let kind = |violation: &Violation| match violation {
        Violation::NoIndex { .. } => "no index",
        Violation::BackInTime { .. } => "back in time",
        Violation::WrongLookup { .. } => "wrong lookup",
        Violation::LostAck { .. } => "lost ack",
        Violation::RefusedButApplied { .. } => "refused but applied",
        Violation::NobodyAsked { .. } => "nobody asked",
        Violation::BeforeItsCall { .. } => "before its call",
        Violation::Overtaken { .. } => "overtaken",
        Violation::EarlyExpiry { .. } => "early expiry",
        Violation::TwoAtOneIndex { .. } => "two at one index",
    };
    certificate.violations.iter().map(kind).collect()
}

fn nothing() -> Vec<&'static str> {
    Vec::new()
}

/// A lookup must show the state of its index, whichever type and pool it requests.
#[test]
fn a_lookup_shows_the_state_of_its_index() {
    let history = |last: Operation| {
        [
            announce_types("a", &["t", "u"], 1).at(0, 9, 1),
            announce("b", 2).at(0, 9, 2),
            last.at(0, 9, 2),
        ]
    };
    let (a, au, b) = (("a", "t", 1), ("a", "u", 1), ("b", "t", 2));
    assert_eq!(kinds(&check(&history(lookup_all(&[b, au, a])))), nothing());
    assert_eq!(
        kinds(&check(&history(lookup(&[("a", 1), ("b", 2)])))),
        nothing()
    );
    let half_an_announcement = history(lookup_all(&[b, a]));
    assert_eq!(kinds(&check(&half_an_announcement)), ["wrong lookup"]);
    let twice = history(lookup(&[("a", 1), ("b", 2), ("b", 2)]));
    assert_eq!(kinds(&check(&twice)), ["wrong lookup"]);
    let unheard_of = history(lookup(&[("a", 1), ("b", 3)]));
    assert_eq!(kinds(&check(&unheard_of)), ["wrong lookup"]);
}

/// An operation must not have an earlier index than an operation that returned before its call. A
/// change must have a later index.
#[test]
fn indexes_do_not_go_back_in_time() {
    let seen = lookup(&[("a", 1)]);
    let written = announce("a", 1).at(0, 1, 5);
    assert_eq!(
        kinds(&check(&[written.clone(), seen.clone().at(2, 3, 5)])),
        nothing()
    );
    let stale = [written.clone(), lookup(&[]).at(2, 3, 4)];
    assert_eq!(kinds(&check(&stale)), ["back in time"]);
    let concurrent = [written.clone(), lookup(&[]).at(1, 3, 4)];
    assert_eq!(kinds(&check(&concurrent)), nothing());
    let same = [written, announce("b", 2).at(2, 3, 5)];
    assert_eq!(kinds(&check(&same)), ["back in time"]);
}

/// Two lookups at one index must show the same state.
#[test]
fn one_index_is_one_state() {
    let history = [
        announce("a", 1).at(0, 1, 1),
        lookup(&[("a", 1)]).at(150, 160, 2),
        lookup(&[]).at(150, 160, 2),
    ];
    assert_eq!(kinds(&check(&history)), ["wrong lookup"]);
}

/// Changes of different nodes may share an index. Changes of one node may share an index only if
/// they are identical.
#[test]
fn a_batch_changes_a_node_once() {
    let with = |other: Operation| [announce("a", 1).at(0, 9, 1), other.at(0, 9, 1)];
    assert_eq!(kinds(&check(&with(announce("b", 2)))), nothing());
    assert_eq!(kinds(&check(&with(announce("a", 1)))), nothing());
    assert_eq!(kinds(&check(&with(announce("a", 2)))), ["two at one index"]);
    assert_eq!(kinds(&check(&with(withdraw("a")))), ["two at one index"]);
}

/// A 2xx answer without an index is a violation, since no other check would cover it.
#[test]
fn an_answer_without_an_index_is_found() {
    let mut operation = lookup(&[]).at(0, 1, 1);
    operation.index = None;
    assert_eq!(kinds(&check(&[operation])), ["no index"]);
}

/// Without a log, a missing node counts as expired if it can have expired. A node that cannot have
/// expired counts as withdrawn if a withdrawal has an unknown outcome. Without such a withdrawal,
/// the absence is a violation.
#[test]
fn an_absence_needs_a_reason() {
    let history = |absent_ms: u64| {
        vec![
            announce("a", 1).at(0, 1, 1),
            announce("a", 1).at(50, 51, 2),
            lookup(&[]).at(absent_ms - 1, absent_ms, 3),
        ]
    };
    assert_eq!(kinds(&check(&history(148))), ["early expiry"]);
    let certificate = check(&history(149));
    assert_eq!((kinds(&certificate), certificate.expiries), (nothing(), 1));
    let left = [history(110), vec![withdraw("a").unknown(60)]].concat();
    let certificate = check(&left);
    assert_eq!(
        (kinds(&certificate), certificate.unknown_placed),
        (nothing(), 1)
    );
    let left_later = [history(110), vec![withdraw("a").unknown(111)]].concat();
    assert_eq!(kinds(&check(&left_later)), ["early expiry"]);
}

/// An answer with the index of an expiry, or with a later index, proves that the node had expired
/// when this answer returned. The earliest of these answers counts, even if the lookup from which
/// the expiry is inferred returned later.
#[test]
fn an_expiry_is_as_old_as_the_first_who_knew() {
    let history = [
        announce("a", 1).at(0, 1, 1),
        announce("b", 2).at(20, 30, 5),
        lookup(&[("b", 2)]).at(25, 200, 4),
    ];
    // The lookup has index 4 and returned at 200 ms. The write with index 5 returned at 30 ms, so
    // node a had expired by 30 ms.
    assert_eq!(kinds(&check(&history)), ["early expiry", "wrong lookup"]);
}

/// An announcement with an unknown outcome explains lookups that show its token after its call.
/// After the first of these lookups, no lookup may show the previous token.
#[test]
fn an_unknown_announcement_is_placed_where_it_shows() {
    let history = |call_ms: u64| {
        [
            announce("a", 1).at(0, 1, 1),
            announce("a", 2).unknown(call_ms),
            lookup(&[("a", 1)]).at(10, 11, 2),
            lookup(&[("a", 2)]).at(20, 21, 3),
        ]
    };
    let certificate = check(&history(2));
    assert_eq!(
        (kinds(&certificate), certificate.unknown_placed),
        (nothing(), 1)
    );
    assert_eq!(kinds(&check(&history(22))), ["wrong lookup"]);
    let back = [&history(2)[..], &[lookup(&[("a", 1)]).at(30, 31, 4)]].concat();
    assert_eq!(kinds(&check(&back)), ["wrong lookup"]);
}

/// With a log, every acknowledged change must be in the log, with its content. A change that was
/// refused, or that no client requested, must not be in the log.
#[test]
fn the_log_has_what_was_acknowledged_and_nothing_else() {
    let acked = [announce("a", 1).at(0, 1, 1)];
    assert_eq!(
        kinds(&check_with(&acked, &[(1, announced("a", 1))])),
        nothing()
    );
    assert_eq!(kinds(&check_with(&acked, &[])), ["lost ack"]);
    assert_eq!(
        kinds(&check_with(&acked, &[(1, announced("a", 2))])),
        ["nobody asked", "lost ack"]
    );
    assert_eq!(
        kinds(&check_with(
            &acked,
            &[(1, announced("a", 1)), (7, announced("a", 1))]
        )),
        ["nobody asked"],
        "proposed twice"
    );
    let renewals = [acked[0].clone(), announce("a", 1).at(2, 3, 2)];
    let renewed = Applied::Renew { node: "a".into() };
    assert_eq!(
        kinds(&check_with(
            &renewals,
            &[(1, announced("a", 1)), (2, renewed)]
        )),
        nothing()
    );
    let refused = [announce("a", 1).refused(0, 1)];
    assert_eq!(
        kinds(&check_with(&refused, &[(1, announced("a", 1))])),
        ["refused but applied"]
    );
    let strangers = [(1, announced("a", 1)), (2, announced("somebody", 5))];
    assert_eq!(kinds(&check_with(&acked, &strangers)), nothing());
    let shown = [
        acked[0].clone(),
        lookup(&[("a", 1), ("somebody", 5)]).at(2, 3, 2),
    ];
    assert_eq!(kinds(&check_with(&shown, &strangers)), ["wrong lookup"]);
}

/// With a log, a change with an unknown outcome takes effect at the index of its entry. No answer
/// may have had that index before the change was called.
#[test]
fn the_log_places_unknown_changes() {
    let history = |call_ms: u64, found: &[(&str, u64)]| {
        [
            announce("a", 1).at(0, 1, 1),
            announce("a", 2).unknown(call_ms),
            lookup(found).at(10, 11, 2),
        ]
    };
    let entries = [(1, announced("a", 1)), (2, announced("a", 2))];
    assert_eq!(
        kinds(&check_with(&history(2, &[("a", 2)]), &entries)),
        nothing()
    );
    assert_eq!(
        kinds(&check_with(&history(2, &[("a", 1)]), &entries)),
        ["wrong lookup"]
    );
    assert_eq!(
        kinds(&check_with(&history(12, &[("a", 2)]), &entries)),
        ["before its call"]
    );
    assert_eq!(
        kinds(&check_with(&history(2, &[("a", 2)]), &entries[..1])),
        ["wrong lookup"],
        "the log says that it never happened"
    );
}

/// With a log, a node expires at the index of the expiry in the log. A logged expiry that is too
/// early is a violation. If the log contains no expiry of the node, a lookup that omits the node is
/// a violation, regardless of the node's age.
#[test]
fn the_log_places_expiries() {
    let expired = Applied::Expire { node: "a".into() };
    let entries = [(1, announced("a", 1)), (2, expired)];
    let history = |absent_ms: u64| {
        [
            announce("a", 1).at(0, 1, 1),
            lookup(&[]).at(absent_ms - 1, absent_ms, 2),
        ]
    };
    assert_eq!(kinds(&check_with(&history(99), &entries)), nothing());
    assert_eq!(kinds(&check_with(&history(98), &entries)), ["early expiry"]);
    assert_eq!(
        kinds(&check_with(&history(9_999), &entries[..1])),
        ["wrong lookup"]
    );
}

/// All violations are counted, the first ones are stored, and each is described with its
/// operations.
#[test]
fn violations_are_counted_and_explained() {
    let history: Vec<Operation> = (0..50)
        .map(|at| lookup(&[("a", at)]).at(at, at + 1, 1))
        .collect();
    let certificate = check(&history);
    assert_eq!(
        (certificate.violation_count, certificate.violations.len()),
        (50, 20)
    );
    let text = certificate.explain(&history);
    assert!(text.contains(&history[0].to_string()), "{text}");
    assert!(text.ends_with("and 30 more\n"), "{text}");
}
