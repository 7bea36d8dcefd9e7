//! Tests of the JSON lines of histories.

use super::by_hand::{announce, lookup, withdraw};
use crate::history::{self, ReadError};
use crate::lines::LineError;
use crate::simulated::{PlanShape, simulate};

const SHAPE: PlanShape = PlanShape {
    clients: 5,
    nodes: 6,
    groups: 3,
    operations: 300,
    write_percent: 40,
    unknown_percent: 10,
    abandons: false,
    is_wide: true,
};

/// A written history can be read back, with every kind of operation and outcome.
#[test]
fn a_history_is_read_as_it_was_written() {
    let operations = simulate(7, &SHAPE, None).history;
    let mut file = Vec::new();
    history::write(&operations, &mut file).expect("a Vec takes everything");
    assert_eq!(
        history::read(&file[..]).expect("it was just written"),
        operations
    );
}

/// The format of stored histories does not change: files of earlier runs must stay readable.
#[test]
fn the_lines_are_as_they_were() {
    let line = |operation: history::Operation| operation.to_string();
    assert_eq!(
        line(announce("n1", 7).at(1, 2, 9)),
        concat!(
            r#"{"client":0,"server":0,"call_ns":1000000,"return_ns":2000000,"#,
            r#""input":{"announce":{"node":"n1","pool":"p","types":["t"],"token":7}},"#,
            r#""outcome":"acked","index":9}"#
        )
    );
    assert_eq!(
        line(announce("n1", 7).at(1, 3, 9).arrived(2)),
        concat!(
            r#"{"client":0,"server":0,"call_ns":1000000,"arrived_ns":2000000,"#,
            r#""return_ns":3000000,"#,
            r#""input":{"announce":{"node":"n1","pool":"p","types":["t"],"token":7}},"#,
            r#""outcome":"acked","index":9}"#
        )
    );
    assert_eq!(
        line(withdraw("n1").unknown(1)),
        concat!(
            r#"{"client":0,"server":0,"call_ns":1000000,"#,
            r#""input":{"withdraw":{"node":"n1"}},"outcome":"unknown"}"#
        )
    );
    assert_eq!(
        line(lookup(&[("n1", 7)]).at(1, 2, 9)),
        concat!(
            r#"{"client":0,"server":0,"call_ns":1000000,"return_ns":2000000,"#,
            r#""input":{"lookup":{"type":"t","pool":"p"}},"#,
            r#""outcome":{"found":[["n1","t","p",7]]},"index":9}"#
        )
    );
}

/// A line that is not an operation, or an impossible operation, is refused with its line number.
#[test]
fn what_cannot_be_is_refused() {
    let good = announce("n1", 7).at(1, 2, 9).to_string();
    let bad = [
        "{".to_owned(),
        good.replace("acked", r#"found":[]"#),
        good.replace("\"acked\"", r#"{"found":[]}"#),
        good.replace(r#""return_ns":2000000,"#, ""),
        good.replace(r#""return_ns":2000000"#, r#""return_ns":999999"#),
        good.replace(r#""return_ns""#, r#""arrived_ns":999999,"return_ns""#),
    ];
    for bad in bad {
        let file = format!("{good}\n{bad}\n");
        let error = history::read(file.as_bytes()).expect_err("it cannot be");
        let is_second = matches!(
            error,
            ReadError::Line(LineError::Json { line: 2, .. }) | ReadError::Impossible { line: 2 }
        );
        assert!(is_second, "{bad}: {error}");
    }
}
