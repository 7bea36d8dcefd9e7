mod changes;
mod coordinators;
mod golden;
mod limits;
mod order;
mod properties;
mod samples;

use crate::model::{Announcement, Lookup};
use crate::registry::MAX_RETIRED;
use crate::state::rendered::MAX_RENDERINGS;
use crate::state::tombstones::MAX_TOMBSTONES;
use crate::{BadSnapshot, Command, LEVEL, NodeEntry, Outcome, Registry};
use samples::{announce, announcement, batch, of_type};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The bytes of a lookup are exactly those of airlift, including the trailing newline.
#[test]
fn a_lookup_is_byte_for_byte_airlifts() {
    let mut registry = Registry::new("test");
    registry.advance(0);
    registry.apply(1, &batch(vec![announce("w1", "presto", "x")]));
    let expected = concat!(
        r#"{"environment":"test","services":[{"id":"s-w1","nodeId":"w1","type":"presto","#,
        r#""pool":"general","location":"/w1","properties":{"coordinator":"false","note":"x"}}]}"#,
        "\n"
    );
    assert_eq!(registry.lookup(&of_type("presto")).json(), expected);
    assert_eq!(
        registry.lookup(&of_type("trino")).json(),
        "{\"environment\":\"test\",\"services\":[]}\n"
    );
}

/// The gzipped body is created once and decompresses to the same body.
#[test]
fn gzip_is_the_same_body() {
    use std::io::Read as _;
    let mut registry = Registry::new("test");
    registry.apply(1, &batch(vec![announce("w1", "presto", "x")]));
    let shown = registry.lookup(&Lookup::All);
    let gzip = shown.gzip();
    assert_eq!(gzip.as_ptr(), shown.gzip().as_ptr());
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&*gzip)
        .read_to_end(&mut plain)
        .unwrap();
    assert_eq!(shown.json(), &plain);
}

/// The number of cached renderings is limited, however many types are requested, and the most
/// recently used ones stay cached. A type without services takes no cache entry.
#[test]
fn renderings_are_bounded() {
    let mut registry = Registry::new("test");
    let nodes = MAX_RENDERINGS + 10;
    let commands = (0..nodes)
        .map(|i| announce(&format!("w{i}"), &format!("t{i}"), "x"))
        .collect();
    registry.apply(1, &batch(commands));
    let first = registry.lookup(&of_type("t0"));
    for i in 0..nodes {
        registry.lookup(&of_type(&format!("t{i}")));
        registry.lookup(&of_type(&format!("nobody{i}")));
        assert!(
            Arc::ptr_eq(&first, &registry.lookup(&of_type("t0"))),
            "t0 was used last"
        );
    }
    assert_eq!(registry.renderings.len(), MAX_RENDERINGS);
    assert!(Arc::ptr_eq(
        &registry.lookup(&of_type("no")),
        &registry.lookup(&of_type("none"))
    ));
}

/// Readers on many threads share one rendering.
#[test]
fn threads_share_one_rendering() {
    let mut registry = Registry::new("test");
    registry.apply(
        1,
        &batch(
            (0..100)
                .map(|i| announce(&format!("w{i}"), "presto", "x"))
                .collect(),
        ),
    );
    let shown: Vec<_> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| registry.lookup(&Lookup::All)))
            .collect();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .collect()
    });
    assert!(shown.iter().all(|one| Arc::ptr_eq(one, &shown[0])));
}

/// The registry drops the oldest tombstones if there are too many. Of the dropped tombstones, it
/// keeps only the highest index (the floor). A write of a node without a tombstone is refused with
/// a request to retry if its `seen` is below the floor. A write with a newer `seen` is accepted.
#[test]
fn forgotten_removals_are_overtaken_to_be_safe() {
    let mut registry = Registry::new("test");
    registry.apply(1, &batch(vec![announce("w1", "presto", "x")]));
    registry.apply(
        2,
        &batch(vec![Command::Withdraw {
            seen: 1,
            node_id: "w1".to_owned(),
        }]),
    );
    for i in 0..MAX_TOMBSTONES as u64 {
        registry.apply(
            3 + i,
            &batch(vec![Command::Withdraw {
                seen: 0,
                node_id: format!("x{i}"),
            }]),
        );
    }
    assert_eq!(registry.tombstones.floor(), 2);
    let late = |node: &str, seen| Command::Announce {
        seen,
        announcement: announcement(node, "presto", "y"),
    };
    let index = registry.applied_index() + 1;
    let outcomes = registry.apply(
        index,
        &batch(vec![
            late("w1", 1),
            late("new", 1),
            late("new", 2),
            late("x0", 2),
        ]),
    );
    assert_eq!(
        outcomes,
        [
            Outcome::Superseded,
            Outcome::Superseded,
            Outcome::Applied,
            Outcome::Superseded
        ]
    );
    assert_eq!(registry.digest(), registry.recompute_digest());
    let copy = Registry::from_snapshot(&registry.to_snapshot()).unwrap();
    assert_eq!(copy.digest(), registry.digest());
}

/// A full registry refuses additions, but accepts renewals, replacements that cost less, and
/// removals.
#[test]
fn a_full_registry_says_so() {
    let mut registry = Registry::new("test");
    let long = "x".repeat(1_000);
    registry.max_held_bytes = 2_000;
    assert_eq!(
        registry.apply(1, &batch(vec![announce("w1", "presto", &long)])),
        [Outcome::Applied]
    );
    let before = registry.lookup(&Lookup::All);
    let refused = registry.apply(
        2,
        &batch(vec![
            announce("w2", "presto", &long),
            announce("w1", "t", &long.repeat(2)),
        ]),
    );
    assert_eq!(
        refused,
        [Outcome::CapacityExceeded, Outcome::CapacityExceeded]
    );
    assert!(Arc::ptr_eq(&before, &registry.lookup(&Lookup::All)));
    let taken = registry.apply(
        3,
        &batch(vec![
            announce("w1", "presto", &long),
            announce("w1", "presto", "short"),
            announce("w2", "presto", "short"),
        ]),
    );
    assert_eq!(taken, vec![Outcome::Applied; 3]);
    let copy = Registry::from_snapshot(&registry.to_snapshot()).unwrap();
    assert_eq!(copy.counted_bytes(), registry.counted_bytes());
    registry.apply(
        4,
        &batch(
            ["w1", "w2"]
                .map(|w| Command::Withdraw {
                    seen: 9,
                    node_id: w.to_owned(),
                })
                .to_vec(),
        ),
    );
    assert_eq!((registry.counted_bytes(), registry.services()), (0, 0));
}

/// An announcement of twenty thousand types, as large as a client may send, is stored, changed in
/// one place and rendered correctly.
#[test]
fn many_types_of_one_node() {
    let services: Vec<String> = (0..20_000)
        .map(|i| format!(r#"{{"id":"i{i}","type":"t{i}","properties":{{}}}}"#))
        .collect();
    let body = format!(
        r#"{{"environment":"test","pool":"p","services":[{}]}}"#,
        services.join(",")
    );
    let announcement = Announcement::from_json("w1", body.as_bytes(), "test").unwrap();
    let mut changed = announcement.clone();
    let mut services = changed.services.to_vec();
    services.remove(7);
    changed.services = services.into();
    let mut registry = Registry::new("test");
    for (index, announcement) in [(1, announcement), (2, changed)] {
        registry.apply(
            index,
            &batch(vec![Command::Announce {
                seen: 1,
                announcement,
            }]),
        );
    }
    assert_eq!(
        (registry.services(), registry.changed_index(&Lookup::All)),
        (19_999, 2)
    );
    assert_eq!(
        registry
            .lookup(&Lookup::All)
            .json()
            .iter()
            .filter(|byte| **byte == b'[')
            .count(),
        1
    );
    assert_eq!(registry.digest(), registry.recompute_digest());
}

/// If there are too many retired ids, the oldest is forgotten.
#[test]
fn retired_ids_are_bounded() {
    let mut registry = Registry::new("test");
    registry.apply(
        1,
        &batch(vec![Command::Retire {
            raft_ids: (0..=MAX_RETIRED as u64).collect(),
        }]),
    );
    assert!(!registry.is_retired(0));
    assert!(registry.is_retired(1) && registry.is_retired(MAX_RETIRED as u64));
    assert!(Registry::from_snapshot(&registry.to_snapshot()).is_ok());
}

/// If the level is that of a later release, the running registry reports the level as unknown. A
/// snapshot with this level is refused with an error that names the level.
#[test]
fn a_later_level_is_told() {
    let mut registry = Registry::new("test");
    assert_eq!(registry.unknown_level(), None);
    registry.apply(1, &batch(vec![Command::Level(LEVEL + 1)]));
    assert_eq!(registry.unknown_level(), Some(LEVEL + 1));
    let refused = Registry::from_snapshot(&registry.to_snapshot()).unwrap_err();
    assert_eq!(refused, BadSnapshot::Level { needed: LEVEL + 1 });
    assert_eq!(
        refused.to_string(),
        "it needs a release that supports level 5; this one supports level 4"
    );
}

/// Bytes that are not a snapshot, a snapshot in a later format and a truncated snapshot are
/// refused, each with its own error.
#[test]
fn strange_bytes_are_refused() {
    assert_eq!(
        Registry::from_snapshot(b"PK\x03\x04").unwrap_err(),
        BadSnapshot::NotASnapshot
    );
    assert_eq!(
        Registry::from_snapshot(b"qreg\x02").unwrap_err(),
        BadSnapshot::Format { found: 2 }
    );
    let short = Registry::from_snapshot(b"qreg\x01\x01\0\0\0").unwrap_err();
    assert_eq!(
        short.to_string(),
        "the digest cannot be read at byte 9: it ends too early"
    );
}

/// States that differ in anything, including the environment, have different digests.
#[test]
fn digests_tell_states_apart() {
    let mut digests = BTreeSet::new();
    let mut add = |environment: &str, index: u64, commands: Vec<Command>| {
        for level in [None, Some(Command::Level(LEVEL))] {
            let mut registry = Registry::new(environment);
            registry.apply(
                index,
                &batch(level.into_iter().chain(commands.clone()).collect()),
            );
            assert!(
                digests.insert(registry.digest()),
                "another state has this digest"
            );
        }
    };
    let tick = |advance_ms, grace_ms| Command::Tick {
        advance_ms,
        grace_ms,
    };
    add("test", 1, vec![]);
    add("prod", 1, vec![]);
    add("test", 2, vec![]);
    add("test", 1, vec![tick(1, None)]);
    add("test", 1, vec![tick(0, Some(1))]);
    add("test", 1, vec![announce("w1", "presto", "x")]);
    add("test", 1, vec![announce("w1", "presto", "y")]);
    add(
        "test",
        1,
        vec![tick(1, None), announce("w1", "presto", "x")],
    );
    add(
        "test",
        1,
        vec![Command::Withdraw {
            seen: 0,
            node_id: "w1".to_owned(),
        }],
    );
    add("test", 1, vec![Command::Retire { raft_ids: vec![1] }]);
    let mut registry = Registry::new("test");
    registry.apply(1, &batch(vec![Command::Level(2)]));
    assert!(digests.insert(registry.digest()));
}

/// A snapshot of format 1, written by the first release, stays readable. The digest of an
/// announcement, which nodes of two releases compare, is stable.
#[test]
fn the_first_format_stays_readable() {
    let written = concat!(
        "7172656701010000000474657374010009ffffffffffffffffff01010000000104676f6e65010107",
        "010670726573746f01010767656e6572616c010100a01f0101010277310767656e6572616c032f7731",
        "0104732d77310670726573746f020b636f6f7264696e61746f720566616c7365046e6f746501780832",
        "a14a708767a22b868893f9249e18"
    );
    let bytes: Vec<u8> = (0..written.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&written[at..at + 2], 16).unwrap())
        .collect();
    let registry = Registry::from_snapshot(&bytes).unwrap();
    let expected = announcement("w1", "presto", "x");
    assert_eq!(
        registry.held("w1").map(NodeEntry::announcement).as_ref(),
        Some(&expected)
    );
    assert_eq!(
        (
            registry.grace_left_ms(),
            registry.is_retired(7),
            registry.tombstones.last("gone")
        ),
        (9, true, 1)
    );
    assert_eq!(registry.to_snapshot(), bytes);
    assert_eq!(expected.digest(), 0x7761_00c3_2410_8b4e_fc3c_e3b5_5857_0a4f);
}
