//! Tests of gaps, first answers and percentiles.

use super::by_hand::{MS, announce, lookup};
use crate::history::Operation;
use crate::window::{Summary, Window, percentile};

const WINDOW: Window = Window {
    from_ns: 100 * MS,
    to_ns: 200 * MS,
};

/// A gap lies between two acknowledged changes, or between such a change and an edge of the window.
#[test]
fn the_longest_gap_counts_the_edges() {
    let ack = |return_ms| announce("a", 1).at(return_ms - 1, return_ms, 1);
    let gap = |history: &[Operation]| WINDOW.longest_write_gap_ns(history) / MS;
    assert_eq!(gap(&[]), 100);
    assert_eq!(gap(&[ack(90), ack(210)]), 100, "outside");
    assert_eq!(gap(&[ack(190), ack(110), ack(150)]), 40);
    assert_eq!(gap(&[ack(160)]), 60);
    let others = [
        announce("a", 1).refused(120, 130),
        lookup(&[]).at(140, 150, 1),
    ];
    assert_eq!(gap(&others), 100, "only acknowledged changes count");
}

/// A server that received a lookup but gave no answer is reported without a time. A lookup called
/// before the window does not count.
#[test]
fn first_lookups_are_by_server() {
    let by = |server, operation: Operation| Operation {
        server,
        ..operation
    };
    let history = [
        by(1, lookup(&[]).at(99, 101, 1)),
        by(1, lookup(&[]).at(110, 130, 1)),
        by(1, lookup(&[]).at(105, 120, 1)),
        by(2, lookup(&[]).refused(100, 103)),
        by(3, lookup(&[]).at(190, 201, 1)),
        by(4, announce("a", 1).at(120, 130, 1)),
    ];
    let first = WINDOW.first_lookups_ns(&history);
    let expected = [(1, Some(20 * MS)), (2, None), (3, None)];
    assert_eq!(first, expected.into());
}

/// A percentile is computed by the nearest-rank method, and is therefore always one of the values.
#[test]
fn percentiles_are_of_the_nearest_rank() {
    let values: Vec<u64> = (1..=200).collect();
    assert_eq!(percentile(&values, 50), Some(100));
    assert_eq!(percentile(&values, 99), Some(198));
    assert_eq!(percentile(&values, 100), Some(200));
    assert_eq!(percentile(&values, 0), Some(1));
    assert_eq!(percentile(&[], 50), None);
    let summary = Summary::of(vec![3, 1, 2]).expect("there are values");
    assert_eq!(
        (summary.count, summary.p50, summary.p99, summary.max),
        (3, 2, 3, 3)
    );
    assert_eq!(Summary::of(Vec::new()), None);
}

/// Only answers that were read within the window count as answers per second.
#[test]
fn answers_are_counted_by_the_second() {
    let history = [
        lookup(&[]).at(110, 120, 1),
        lookup(&[]).at(10, 20, 1),
        announce("a", 1).at(150, 160, 1),
    ];
    assert!((WINDOW.answers_per_second(&history) - 20.0).abs() < 1e-9);
}
