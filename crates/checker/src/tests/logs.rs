//! Tests of reading the output of `quorate log`.

use crate::log::{Applied, CommittedLog, Differs, LogEntry, LogError};

/// Changes, renewals, withdrawals and expiries are read. Commands that were not applied, that have
/// no token or that change no announcement are omitted.
#[test]
fn a_printed_log_is_read() {
    let printed = [
        r#"{"index":0,"term":0,"membership":"{..}","outcomes":[],"changes":[]}"#,
        r#"{"index":1,"term":1,"outcomes":[],"changes":[]}"#,
        r#"{"index":2,"term":1,"commands":[
            {"announce":{"node_id":"a","pool":"p","location":"/a","services":[
                {"id":"s","service_type":"t","properties":{"token":"7","http":"x"}},
                {"id":"s2","service_type":"u","properties":{"token":"7"}}]},"seen":1},
            {"announce":{"node_id":"b","pool":"p","location":"/b","services":[]},"seen":1},
            {"withdraw":"c","seen":1}],"outcomes":["applied","applied","overtaken"],"changes":[]}"#,
        concat!(
            r#"{"index":3,"term":1,"commands":[{"renew":"a","seen":2,"digest":"00"},"#,
            r#"{"withdraw":"b","seen":2},{"renew":"z","seen":2,"digest":"00"}],"#,
            r#""outcomes":["applied","applied","notHeld"]}"#
        ),
        concat!(
            r#"{"index":4,"term":1,"commands":[{"tick":{"advanceMs":500,"graceMs":null}}],"#,
            r#""outcomes":[{"expired":["a"]}]}"#
        ),
        concat!(
            r#"{"index":5,"term":1,"commands":[{"level":1},{"retire":[3]}],"#,
            r#""outcomes":["applied","applied"]}"#
        ),
    ]
    .map(|line| line.replace('\n', ""))
    .join("\n");
    let log = CommittedLog::read(printed.as_bytes(), "token").expect("it is a log");
    let announced = Applied::Announce {
        node: "a".into(),
        pool: "p".into(),
        types: vec!["t".into(), "u".into()],
        token: 7,
    };
    let entry = |index, applied: &[Applied]| LogEntry {
        index,
        applied: applied.to_vec(),
    };
    let renewed = Applied::Renew { node: "a".into() };
    let withdrawn = Applied::Withdraw { node: "b".into() };
    let expired = Applied::Expire { node: "a".into() };
    let expected = CommittedLog {
        from_index: 0,
        to_index: 5,
        is_complete: true,
        entries: vec![
            entry(2, &[announced]),
            entry(3, &[renewed, withdrawn]),
            entry(4, &[expired]),
        ],
    };
    assert_eq!(log, expected);
}

/// Entries whose outcome is no longer known do not count as applied, and their log is not complete.
#[test]
fn a_log_that_was_purged_begins_later() {
    let printed = [
        r#"{"index":8,"term":1,"commands":[{"withdraw":"a","seen":1}]}"#,
        r#"{"index":9,"term":1,"commands":[{"withdraw":"a","seen":1}],"outcomes":["applied"]}"#,
    ];
    let log = CommittedLog::read(printed.join("\n").as_bytes(), "token").expect("it is a log");
    assert_eq!(
        (log.from_index, log.is_complete, log.entries.len()),
        (9, false, 1)
    );
    let log = CommittedLog::read(printed[1].as_bytes(), "token").expect("it is a log");
    assert_eq!((log.from_index, log.is_complete), (9, false));
}

/// A log is refused if an index is missing, or if an entry does not have exactly one outcome for
/// each command.
#[test]
fn a_log_with_a_hole_is_refused() {
    let hole = "{\"index\":1,\"outcomes\":[]}\n{\"index\":3,\"outcomes\":[]}";
    let short = "{\"index\":1,\"commands\":[{\"level\":1}],\"outcomes\":[]}";
    for (printed, at) in [(hole, 2), (short, 1)] {
        let error = CommittedLog::read(printed.as_bytes(), "token").expect_err("it is broken");
        assert!(
            matches!(error, LogError::Broken { line, .. } if line == at),
            "{error}"
        );
    }
}

fn withdrawals(from_index: u64, nodes: &[&str]) -> CommittedLog {
    let entries = nodes
        .iter()
        .zip(from_index..)
        .map(|(node, index)| LogEntry {
            index,
            applied: vec![Applied::Withdraw {
                node: (*node).into(),
            }],
        });
    CommittedLog {
        from_index,
        to_index: from_index + nodes.len() as u64 - 1,
        is_complete: from_index == 0,
        entries: entries.collect(),
    }
}

/// The parts of one log that two nodes know are joined, in either order. Logs of two nodes that
/// committed different entries are refused.
#[test]
fn two_parts_of_one_log_are_joined_and_different_ones_are_not() {
    let all = withdrawals(0, &["a", "b", "c", "d", "e"]);
    let parts = [
        (
            withdrawals(0, &["a", "b", "c"]),
            withdrawals(2, &["c", "d", "e"]),
        ),
        (
            withdrawals(0, &["a", "b", "c"]),
            withdrawals(3, &["d", "e"]),
        ),
        (all.clone(), withdrawals(1, &["b", "c"])),
        (all.clone(), all.clone()),
    ];
    for (one, other) in parts {
        assert_eq!(one.clone().joined(other.clone()), Ok(all.clone()));
        assert_eq!(other.joined(one), Ok(all.clone()));
    }
    let late = withdrawals(4, &["e"]);
    assert_eq!(withdrawals(0, &["a", "b"]).joined(late.clone()), Ok(late));
    let other = withdrawals(1, &["b", "x", "d"]);
    assert_eq!(all.clone().joined(other.clone()), Err(Differs { index: 2 }));
    assert_eq!(other.joined(all.clone()), Err(Differs { index: 2 }));
    let mut silent = withdrawals(1, &["b", "c"]);
    silent.to_index = 3;
    assert_eq!(all.joined(silent), Err(Differs { index: 3 }));
}
