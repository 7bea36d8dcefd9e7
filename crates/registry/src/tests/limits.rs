//! Tests of limits: announcements beyond a limit are refused, and counted costs are accurate.

use super::properties::{at, batches, lookups};
use super::samples::{announce, announcement, batch, of_type};
use crate::level::LEVEL_OF_LIMITS;
use crate::model::{Announcement, Lookup, Properties, Service, StaticService};
use crate::state::rendered::LARGE_BYTES;
use crate::{Batch, Command, MAX_LOCATION_BYTES, MAX_SERVICES, NodeEntry, Outcome, Registry};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Returns an announcement of services whose ids begin with `prefix`, each with a type derived from
/// its number.
fn many(
    node: &str,
    prefix: &str,
    count: usize,
    service_type: impl Fn(usize) -> String,
) -> Announcement {
    let services = (0..count).map(|i| Service {
        id: format!("{prefix}{i:05}"),
        service_type: service_type(i),
        properties: BTreeMap::new(),
    });
    Announcement {
        node_id: node.to_owned(),
        pool: "p".to_owned(),
        location: format!("/{node}"),
        services: services.collect(),
    }
}

fn of_one_type(node: &str, prefix: &str, count: usize) -> Announcement {
    many(node, prefix, count, |_| "t".to_owned())
}

fn put(registry: &mut Registry, announcement: Announcement) -> Outcome {
    let index = registry.applied_index() + 1;
    let command = Command::Announce {
        seen: index,
        announcement,
    };
    registry.apply(index, &batch(vec![command])).remove(0)
}

fn renew(registry: &mut Registry, announcement: &Announcement) -> Outcome {
    let index = registry.applied_index() + 1;
    let command = Command::Renew {
        seen: index,
        node_id: announcement.node_id.clone(),
        digest: announcement.digest(),
    };
    registry.apply(index, &batch(vec![command])).remove(0)
}

fn set_level(registry: &mut Registry, level: u32) {
    let index = registry.applied_index() + 1;
    registry.apply(index, &batch(vec![Command::Level(level)]));
}

/// From `LEVEL_OF_LIMITS` on, an announcement with too many services is refused. If such an
/// announcement was stored below this level, it may be renewed, or replaced by one that is no
/// larger.
#[test]
fn too_many_services_are_refused_from_a_level_on() {
    let mut registry = Registry::new("test");
    set_level(&mut registry, LEVEL_OF_LIMITS - 1);
    let held = of_one_type("w1", "a", MAX_SERVICES + 900);
    assert_eq!(put(&mut registry, held.clone()), Outcome::Applied);
    assert!(
        registry
            .objection(&of_one_type("w2", "a", MAX_SERVICES + 1))
            .is_some()
    );
    assert_eq!(registry.objection(&held), None);

    set_level(&mut registry, LEVEL_OF_LIMITS);
    let mut registry = Registry::from_snapshot(&registry.to_snapshot()).unwrap();
    assert_eq!(renew(&mut registry, &held), Outcome::Applied);
    assert_eq!(put(&mut registry, held.clone()), Outcome::Applied);
    let cases = [
        ("w2", MAX_SERVICES + 1, Outcome::OverLimit),
        ("w2", MAX_SERVICES, Outcome::Applied),
        ("w1", MAX_SERVICES + 901, Outcome::OverLimit),
        ("w1", MAX_SERVICES + 900, Outcome::Applied),
        ("w1", MAX_SERVICES + 7, Outcome::Applied),
        ("w1", MAX_SERVICES + 8, Outcome::OverLimit),
        ("w1", 3, Outcome::Applied),
        ("w1", MAX_SERVICES + 1, Outcome::OverLimit),
    ];
    for (node, count, expected) in cases {
        let before = registry.digest();
        let announcement = of_one_type(node, "b", count);
        let objection = registry.objection(&announcement);
        assert_eq!(
            objection.is_some(),
            expected == Outcome::OverLimit,
            "{node} {count}"
        );
        assert_eq!(put(&mut registry, announcement), expected, "{node} {count}");
        assert_ne!(registry.digest(), before, "the index is a part of it");
        assert_eq!(registry.digest(), registry.recompute_digest());
    }
    let line = registry.objection(&of_one_type("w3", "c", 20_000));
    assert_eq!(
        line.as_deref(),
        Some("services has 20000 entries; the limit is 4096")
    );
}

/// From `LEVEL_OF_LIMITS` on, the length of a location is limited, since a lookup repeats it with
/// each service.
#[test]
fn a_long_location_is_refused_from_a_level_on() {
    let long = |bytes| Announcement {
        location: "l".repeat(bytes),
        ..announcement("w1", "presto", "x")
    };
    let mut registry = Registry::new("test");
    assert_eq!(put(&mut registry, long(5_000)), Outcome::Applied);
    set_level(&mut registry, LEVEL_OF_LIMITS);
    for (bytes, expected) in [
        (5_001, Outcome::OverLimit),
        (4_999, Outcome::Applied),
        (MAX_LOCATION_BYTES, Outcome::Applied),
        (MAX_LOCATION_BYTES + 1, Outcome::OverLimit),
    ] {
        assert_eq!(put(&mut registry, long(bytes)), expected, "{bytes}");
    }
    let line = registry.objection(&long(1_025));
    assert_eq!(
        line.as_deref(),
        Some("location has 1025 bytes; the limit is 1024")
    );
}

/// When the level is raised, announcements cost more than before, and the registry may be over its
/// limit. No node is lost, because a stored announcement can be renewed, or replaced by one that
/// costs no more.
#[test]
fn a_registry_over_its_limit_loses_nobody() {
    let mut registry = Registry::new("test");
    set_level(&mut registry, LEVEL_OF_LIMITS - 1);
    let types = |node: &str, prefix: &str, from: usize, count: usize| {
        many(node, prefix, count, |i| format!("{node}-t{:03}", from + i))
    };
    let nodes: Vec<_> = (0..20)
        .map(|i| types(&format!("w{i:02}"), "a", 0, 50))
        .collect();
    for announcement in &nodes {
        assert_eq!(put(&mut registry, announcement.clone()), Outcome::Applied);
    }
    registry.max_held_bytes = registry.counted_bytes() + 10;
    set_level(&mut registry, LEVEL_OF_LIMITS);
    assert!(registry.counted_bytes() > 10 * registry.max_held_bytes);
    for announcement in &nodes {
        assert_eq!(renew(&mut registry, announcement), Outcome::Applied);
    }
    let counted = registry.counted_bytes();
    for (announcement, expected) in [
        // The new services have ids and types of the same lengths as the services that they
        // replace, and thus the same cost.
        (types("w00", "b", 0, 50), Outcome::Applied),
        (types("w00", "b", 40, 50), Outcome::Applied),
        (types("w01", "a", 0, 49), Outcome::Applied),
        (types("w01", "a", 0, 50), Outcome::CapacityExceeded),
        (types("w00", "bb", 40, 50), Outcome::CapacityExceeded),
        (types("new", "a", 0, 1), Outcome::CapacityExceeded),
        (types("w01", "a", 0, 0), Outcome::Applied),
    ] {
        assert_eq!(put(&mut registry, announcement), expected);
        assert!(registry.counted_bytes() <= counted);
    }
    assert_eq!(registry.nodes().count(), nodes.len());
}

fn static_service(id: usize) -> StaticService {
    StaticService {
        id: format!("static-{id}"),
        service_type: format!("t{id}"),
        pool: format!("p{id}"),
        location: "/".to_owned(),
        properties: Properties::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// The counted cost of a full registry never exceeds its limit, even if nodes move between
    /// types and pools.
    #[test]
    fn a_full_registry_stays_within_its_limit(
        batches in batches(), max_held_bytes in 2_000..12_000usize, statics in 0..3usize,
    ) {
        let mut registry = Registry::new("test");
        set_level(&mut registry, LEVEL_OF_LIMITS);
        registry.max_held_bytes = max_held_bytes;
        let statics = (0..statics).map(|id| Command::AddStatic(static_service(id)));
        registry.apply(2, &batch(statics.collect()));
        for (i, entry) in batches.iter().enumerate() {
            let index = i as u64 + 3;
            let entry = at(index, entry);
            for command in &entry.commands {
                let one = Batch { commands: vec![command.clone()], ..entry.clone() };
                let before = registry.counted_bytes();
                registry.apply(index, &one);
                let counted = registry.counted_bytes();
                prop_assert!(counted <= max_held_bytes.max(before), "{counted} after {before}");
            }
        }
        let copy = Registry::from_snapshot(&registry.to_snapshot()).unwrap();
        prop_assert_eq!(copy.counted_bytes(), registry.counted_bytes());
    }

    /// With any cache limit, lookups equal a fresh rendering, and the cached bytes, plain and
    /// gzipped, are within the limit.
    #[test]
    fn what_is_not_kept_is_rendered_again(batches in batches(), max_bytes in 0..2_000usize) {
        let mut registry = Registry::new("test");
        registry.renderings.set_max_bytes(max_bytes);
        for (i, entry) in batches.iter().enumerate() {
            registry.apply(i as u64 + 1, &at(i as u64 + 1, entry));
            for lookup in lookups() {
                let shown = registry.lookup(&lookup);
                let anew = registry.render(&lookup);
                prop_assert_eq!(shown.json(), anew.json());
                // A rendering is shared while a reader holds it, cached or not.
                prop_assert!(Arc::ptr_eq(&shown, &registry.lookup(&lookup)));
                prop_assert!(registry.renderings.bytes() <= max_bytes);
                shown.gzip();
                prop_assert!(registry.renderings.bytes() <= max_bytes);
            }
        }
    }
}

/// A large lookup is rendered on first use and shows the state at the time of the lookup. Once it
/// is rendered, it is no longer reported as slow (`takes_long`).
#[test]
fn a_large_lookup_is_rendered_later() {
    let mut registry = Registry::new("test");
    let long = "x".repeat(LARGE_BYTES);
    registry.apply(1, &batch(vec![announce("w1", "a", &long)]));
    let (first, same) = (
        registry.lookup(&of_type("a")),
        registry.lookup(&of_type("a")),
    );
    assert!(Arc::ptr_eq(&first, &same));
    assert_eq!(registry.renderings.bytes(), 0, "nothing is rendered yet");
    assert!(first.takes_long(false) && first.takes_long(true));
    registry.apply(2, &batch(vec![announce("w1", "a", &format!("{long}y"))]));
    let second = registry.lookup(&of_type("a"));
    first.make(false);
    assert!(!same.takes_long(false) && same.takes_long(true));
    first.make(true);
    assert!(!same.takes_long(true));
    assert_eq!(
        second.json().len(),
        first.json().len() + 1,
        "it is of an earlier state"
    );
    assert_ne!(second.tag(), first.tag());
    assert_eq!(registry.renderings.bytes(), second.json().len());
    registry.renderings.set_max_bytes(LARGE_BYTES);
    second.gzip();
    assert_eq!(registry.renderings.bytes(), 0, "it has no room");
    let small = registry.lookup(&of_type("b"));
    assert!(!small.takes_long(true));
}

/// The most recently used renderings are cached, and one that is too large for the cache does not
/// affect the others.
#[test]
fn the_renderings_used_last_are_kept() {
    let mut registry = Registry::new("test");
    let long = "x".repeat(1_000);
    let nodes = [("w1", "a"), ("w2", "b"), ("w3", "c")];
    let commands = nodes.map(|(node, service_type)| announce(node, service_type, &long));
    registry.apply(1, &batch(commands.to_vec()));
    registry.renderings.set_max_bytes(2_500);
    let is_kept = |service_type: &str| {
        let first = Arc::as_ptr(&registry.lookup(&of_type(service_type)));
        // These renderings keep the allocator from reusing the address of a rendering that was
        // evicted.
        let others: Vec<_> = (0..8).map(|_| registry.render(&Lookup::All)).collect();
        let again = Arc::as_ptr(&registry.lookup(&of_type(service_type)));
        drop(others);
        first == again
    };
    assert!(is_kept("a") && is_kept("b"));
    assert!(registry.lookup(&Lookup::All).json().len() > 2_500);
    assert_eq!(registry.renderings.bytes(), 0);
    assert!(is_kept("c") && is_kept("a"));
    let bytes = registry.lookup(&of_type("a")).json().len();
    assert_eq!(registry.renderings.bytes(), 2 * bytes);
}

/// A snapshot in which a registered node is also among the removed ones was not written by a
/// release of this program. It is refused, because `apply` relies on the difference.
#[test]
fn a_registered_node_with_a_tombstone_is_refused() {
    let mut registry = Registry::new("test");
    put(&mut registry, of_one_type("w1", "a", 1));
    registry.tombstones.record(&Arc::from("w1"), 1);
    let refused = Registry::from_snapshot(&registry.to_snapshot());
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("the node is also among the removed ones"),
        "{refused}"
    );
}

/// A snapshot whose services are not in order was not written by a release of this program. It is
/// refused, because code that walks two lists in parallel relies on the order.
#[test]
fn services_out_of_order_are_refused() {
    let mut registry = Registry::new("test");
    put(&mut registry, of_one_type("w1", "a", 2));
    let mut bytes = registry.to_snapshot();
    let position = |id: &[u8]| bytes.windows(id.len()).position(|at| at == id).unwrap();
    let (first, second) = (position(b"a00000"), position(b"a00001"));
    bytes[first + 5] = b'1';
    bytes[second + 5] = b'0';
    let refused = Registry::from_snapshot(&bytes).unwrap_err().to_string();
    assert!(
        refused.contains("its services are out of order"),
        "{refused}"
    );
    assert_eq!(
        registry
            .held("w1")
            .map(NodeEntry::announcement)
            .unwrap()
            .services
            .len(),
        2
    );
}
