//! Property tests: random commands never violate the guarantees of the registry.

use crate::model::{Announcement, Lookup, Properties, Service, StaticService};
use crate::{BadSnapshot, Batch, Command, LEVEL, Outcome, Registry};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn announcement(node: u8, content: u8) -> Announcement {
    let services = (0..content % 3).map(|i| Service {
        id: format!("s{i}"),
        service_type: format!("t{}", (content / 3 + i) % 3),
        properties: BTreeMap::from([("v".to_owned(), (content / 5).to_string())]),
    });
    Announcement {
        node_id: format!("n{node}"),
        pool: format!("p{}", content / 9 % 2),
        location: format!("/rack{}", content % 2),
        services: services.collect(),
    }
}

/// Generates a command whose `seen` is relative: a distance back from the applied index.
fn command() -> impl Strategy<Value = Command> {
    let content = 0..18u8;
    let node = 0..4u8;
    let seen = prop_oneof![4 => Just(0u64), 1 => 0..6u64];
    prop_oneof![
        6 => (seen.clone(), node.clone(), content.clone())
            .prop_map(|(seen, node, content)| Command::Announce {
                seen, announcement: announcement(node, content)
            }),
        4 => (seen.clone(), node.clone(), content).prop_map(|(seen, node, content)| {
            let digest = announcement(node, content).digest();
            Command::Renew { seen, node_id: format!("n{node}"), digest }
        }),
        2 => (seen, node).prop_map(|(seen, node)| Command::Withdraw {
            seen, node_id: format!("n{node}")
        }),
        2 => (0..3u8, 0..3u8, 0..2u8).prop_map(
            |(id, service_type, pool)| Command::AddStatic(StaticService {
                id: format!("x{id}"),
                service_type: format!("t{service_type}"),
                pool: format!("p{pool}"),
                location: "/".to_owned(),
                properties: Properties::default(),
            })
        ),
        1 => (0..3u8).prop_map(|id| Command::RemoveStatic { id: format!("x{id}") }),
        4 => (0..2_000u64, prop_oneof![9 => Just(None), 1 => (0..3_000u64).prop_map(Some)])
            .prop_map(|(advance_ms, grace_ms)| Command::Tick { advance_ms, grace_ms }),
        1 => vec(0..9u64, 0..3).prop_map(|raft_ids| Command::Retire { raft_ids }),
        1 => (0..=LEVEL).prop_map(Command::Level),
    ]
}

pub(super) fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let batch = (
        1_000..4_000u64,
        prop_oneof![Just(500u64), Just(1_000u64)],
        vec(command(), 0..4),
    );
    vec(
        batch.prop_map(|(max_age_ms, step_ms, commands)| Batch {
            max_age_ms,
            step_ms,
            commands,
        }),
        1..60,
    )
}

/// Converts each relative `seen`, a distance back from the applied index, to a log index.
pub(super) fn at(index: u64, batch: &Batch) -> Batch {
    let mut batch = batch.clone();
    for command in &mut batch.commands {
        if let Command::Announce { seen, .. }
        | Command::Renew { seen, .. }
        | Command::Withdraw { seen, .. } = command
        {
            *seen = (index - 1).saturating_sub(*seen);
        }
    }
    batch
}

pub(super) fn lookups() -> Vec<Lookup> {
    let mut all = vec![Lookup::All, Lookup::Statics];
    for service_type in 0..4 {
        all.push(Lookup::Type(format!("t{service_type}")));
        all.extend(
            (0..3).map(|pool| Lookup::TypeAndPool(format!("t{service_type}"), format!("p{pool}"))),
        );
    }
    all
}

fn in_pieces(bytes: &[u8], length: usize) -> Result<Registry, BadSnapshot> {
    Registry::from_pieces(bytes.chunks(length).map(<[u8]>::to_vec))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// The same entries produce the same outcomes, digest and bytes on two nodes. This holds even
    /// if one node serves lookups and the other is restored from a snapshot between two entries.
    /// The incremental digest equals the recomputed digest.
    #[test]
    fn nodes_agree(batches in batches(), restart_at in 0..60usize) {
        let mut one = Registry::new("test");
        let mut other = Registry::new("test");
        for (i, batch) in batches.iter().enumerate() {
            let index = i as u64 + 1;
            let batch = at(index, batch);
            prop_assert_eq!(one.apply(index, &batch), other.apply(index, &batch));
            one.lookup(&Lookup::All);
            if i == restart_at {
                other = Registry::from_snapshot(&other.to_snapshot()).unwrap();
            }
            prop_assert_eq!(one.digest(), other.digest());
            prop_assert_eq!(one.digest(), one.recompute_digest());
            prop_assert_eq!(one.services(), other.services());
            prop_assert_eq!(one.counted_bytes(), other.counted_bytes());
            prop_assert_eq!(one.held_bytes, one.recompute_held_bytes());
        }
        let bytes = one.to_snapshot();
        prop_assert_eq!(&bytes, &other.to_snapshot());
        let copy = Registry::from_snapshot(&bytes).unwrap();
        prop_assert_eq!(copy.counted_bytes(), one.counted_bytes());
        prop_assert_eq!(copy.to_snapshot(), &*bytes);
        for length in [1, 2, 15, 16, 17, 100] {
            prop_assert_eq!(in_pieces(&bytes, length).unwrap().to_snapshot(), &*bytes);
        }
    }

    /// Cached bytes equal a fresh rendering. The bytes of a lookup change only in an entry that
    /// sets the lookup's `changed_index`. This index never decreases. Renewals keep the same
    /// rendering.
    #[test]
    fn kept_renderings_are_fresh(batches in batches()) {
        let mut registry = Registry::new("test");
        let mut before = BTreeMap::new();
        for (i, batch) in batches.iter().enumerate() {
            let index = i as u64 + 1;
            registry.apply(index, &at(index, batch));
            for lookup in lookups() {
                let kept = registry.lookup(&lookup);
                let anew = registry.render(&lookup);
                prop_assert_eq!(kept.json(), anew.json());
                let changed = registry.changed_index(&lookup);
                if let Some((bytes, last)) =
                    before.insert(lookup.clone(), (kept.clone(), changed))
                {
                    prop_assert!(changed >= last, "{:?} went back", lookup);
                    prop_assert!(
                        bytes.json() == kept.json() || changed == index,
                        "{:?} changed unsaid",
                        lookup
                    );
                    let only_renewed =
                        batch.commands.iter().all(|c| matches!(c, Command::Renew { .. }));
                    prop_assert!(!only_renewed || Arc::ptr_eq(&bytes, &kept));
                }
            }
        }
    }

    /// A write is refused if another write of its node was accepted at a log index above `seen`.
    /// Only renewals, and withdrawals of an unregistered node, are accepted nevertheless. A lookup
    /// shows the last accepted announcement of a node. The test compares the outcomes with those of
    /// a simple model.
    #[test]
    fn no_write_comes_over_a_later_one(batches in batches()) {
        let mut registry = Registry::new("test");
        let mut last_write: BTreeMap<String, u64> = BTreeMap::new();
        let mut shown: BTreeMap<String, Announcement> = BTreeMap::new();
        for (i, batch) in batches.iter().enumerate() {
            let index = i as u64 + 1;
            let batch = at(index, batch);
            let outcomes = registry.apply(index, &batch);
            for (command, outcome) in batch.commands.iter().zip(&outcomes) {
                match (command, outcome) {
                    (Command::Announce { seen, announcement }, outcome) => {
                        let node = &announcement.node_id;
                        let same = shown.get(node) == Some(announcement);
                        let late = last_write.get(node).is_some_and(|last| last > seen);
                        prop_assert_eq!(
                            outcome,
                            if late && !same { &Outcome::Superseded } else { &Outcome::Applied }
                        );
                        if *outcome == Outcome::Applied {
                            last_write.insert(node.clone(), index);
                            shown.insert(node.clone(), announcement.clone());
                        }
                    }
                    (Command::Renew { node_id, digest, .. }, outcome) => {
                        let same = shown.get(node_id).is_some_and(|held| held.digest() == *digest);
                        prop_assert_eq!(
                            outcome,
                            if same { &Outcome::Applied } else { &Outcome::NotRegistered }
                        );
                        if same {
                            last_write.insert(node_id.clone(), index);
                        }
                    }
                    (Command::Withdraw { seen, node_id }, outcome) => {
                        let late = shown.contains_key(node_id)
                            && last_write.get(node_id).is_some_and(|last| last > seen);
                        prop_assert_eq!(
                            outcome,
                            if late { &Outcome::Superseded } else { &Outcome::Applied }
                        );
                        if !late {
                            last_write.insert(node_id.clone(), index);
                            shown.remove(node_id);
                        }
                    }
                    (Command::Tick { .. }, Outcome::Expired(nodes)) => {
                        for node in nodes {
                            prop_assert!(shown.remove(node).is_some());
                            last_write.insert(node.clone(), index);
                        }
                    }
                    (_, outcome) => prop_assert_eq!(outcome, &Outcome::Applied),
                }
            }
            let held: BTreeMap<String, Announcement> = registry
                .nodes()
                .map(|(node, held)| (node.to_owned(), held.announcement()))
                .collect();
            prop_assert_eq!(&held, &shown);
        }
    }

    /// A node never expires early. The test tracks real time beside the log. The leader ticks at
    /// any moment and reports the time since it proposed its last tick. Sometimes a leader with
    /// another step takes over.
    #[test]
    fn never_early(
        events in vec(
            (
                0..1_500u64,
                0..8u8,
                0..3u8,
                prop_oneof![4 => Just(1_000u64), 1 => Just(3_000u64)],
            ),
            1..200,
        ),
    ) {
        const MAX_AGE_MS: u64 = 3_000;
        let mut registry = Registry::new("test");
        let (mut now_ms, mut ticked_ms) = (0u64, 0u64);
        let mut renewed_ms = BTreeMap::new();
        for (i, (wait_ms, what, node, step_ms)) in events.into_iter().enumerate() {
            now_ms += wait_ms;
            let index = i as u64 + 1;
            let mut apply = |command| {
                let batch = Batch { max_age_ms: MAX_AGE_MS, step_ms, commands: vec![command] };
                registry.apply(index, &batch).remove(0)
            };
            if what < 4 {
                let announcement = announcement(node, what);
                let node_id = announcement.node_id.clone();
                prop_assert_eq!(
                    apply(Command::Announce { seen: index, announcement }),
                    Outcome::Applied
                );
                renewed_ms.insert(node_id, now_ms);
                continue;
            }
            let advance_ms = now_ms - std::mem::replace(&mut ticked_ms, now_ms);
            let grace_ms = (what == 7).then_some(500);
            let Outcome::Expired(gone) = apply(Command::Tick { advance_ms, grace_ms }) else {
                panic!("not a tick")
            };
            for node_id in gone {
                let age_ms = now_ms - renewed_ms[&node_id];
                prop_assert!(age_ms >= MAX_AGE_MS, "{} is gone after {} ms", node_id, age_ms);
            }
        }
    }

    /// A node expires on time. With a tick every half step (half of `step_ms`), at any offset, a
    /// silent node is removed within max-age and two steps.
    #[test]
    fn never_late(offset_ms in 0..500u64, max_age_ms in 0..9_000u64) {
        let mut registry = Registry::new("test");
        let mut apply = |index, command| {
            registry
                .apply(index, &Batch { max_age_ms, step_ms: 1_000, commands: vec![command] })
                .remove(0)
        };
        apply(1, Command::Announce { seen: 0, announcement: announcement(1, 1) });
        let mut age_ms = offset_ms;
        for index in 2.. {
            if apply(index, Command::Tick { advance_ms: 500, grace_ms: None })
                != Outcome::Expired(vec![])
            {
                break;
            }
            age_ms += 500;
        }
        prop_assert!(
            (max_age_ms..=max_age_ms + 2_000).contains(&age_ms),
            "gone after {} ms",
            age_ms
        );
    }

    /// A snapshot that is truncated or modified anywhere is refused and never causes a panic.
    #[test]
    fn damaged_snapshots_are_refused(batches in batches(), at_part in 0.0..1.0f64, bit in 0..8u8) {
        let mut registry = Registry::new("test");
        for (i, batch) in batches.iter().enumerate() {
            registry.apply(i as u64 + 1, &at(i as u64 + 1, batch));
        }
        let mut bytes = registry.to_snapshot();
        let position = (bytes.len() as f64 * at_part) as usize;
        prop_assert!(Registry::from_snapshot(&bytes[..position]).is_err());
        for length in [1, 40] {
            prop_assert!(in_pieces(&bytes[..position], length).is_err());
        }
        bytes[position] ^= 1 << bit;
        prop_assert!(Registry::from_snapshot(&bytes).is_err());
    }
}
