//! Tests of changes: the reported effects of a log entry are its actual effects.

use super::properties::{at, batches, lookups};
use crate::model::{CoordinatorQuery, Engine, Lookup};
use crate::{Change, Registry};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// A reader's services, by node and id.
type Held = BTreeMap<(Option<String>, String), Value>;

fn key(service: &Value) -> (Option<String>, String) {
    let text = |name: &str| service[name].as_str().map(str::to_owned);
    (text("nodeId"), text("id").unwrap())
}

fn list(json: &[u8]) -> Vec<Value> {
    serde_json::from_slice(&[b"[", json, b"]"].concat()).unwrap()
}

/// Returns the services that a reader of the whole state has.
fn state(registry: &Registry, lookup: &Lookup) -> Held {
    let body: Value = serde_json::from_slice(registry.lookup(lookup).json()).unwrap();
    let services = body["services"].as_array().unwrap();
    services
        .iter()
        .map(|service| (key(service), service.clone()))
        .collect()
}

fn is_of(change: &Change, lookup: &Lookup) -> bool {
    match lookup {
        Lookup::Type(service_type) => change.service_type == *service_type,
        Lookup::TypeAndPool(service_type, pool) => {
            change.service_type == *service_type && change.pool == *pool
        }
        Lookup::All | Lookup::Statics => false,
    }
}

/// Applies all removals first, then all additions, as a reader of an event does.
fn apply(held: &mut Held, changes: &[&Change]) {
    for gone in changes.iter().flat_map(|change| list(&change.removed)) {
        held.remove(&key(&gone));
    }
    for service in changes.iter().flat_map(|change| list(&change.services)) {
        held.insert(key(&service), service);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// A reader that starts with a state and applies each change has the current state, for every
    /// type and pool. Each change of a lookup advances the `changed_index` of the lookup.
    #[test]
    fn changes_make_up_the_state(batches in batches()) {
        let mut registry = Registry::new("test");
        let followed: Vec<Lookup> = lookups()
            .into_iter()
            .filter(|lookup| matches!(lookup, Lookup::Type(_) | Lookup::TypeAndPool(..)))
            .collect();
        let mut readers: BTreeMap<Lookup, Held> =
            followed.iter().map(|lookup| (lookup.clone(), Held::new())).collect();
        for (i, batch) in batches.iter().enumerate() {
            let index = i as u64 + 1;
            registry.apply(index, &at(index, batch));
            let changes = registry.take_changes();
            prop_assert!(registry.take_changes().is_empty());
            for (lookup, held) in &mut readers {
                let of_lookup: Vec<&Change> =
                    changes.iter().filter(|change| is_of(change, lookup)).collect();
                prop_assert!(of_lookup.iter().all(|change| change.index == index));
                prop_assert!(of_lookup.is_empty() || registry.changed_index(lookup) == index);
                apply(held, &of_lookup);
                prop_assert_eq!(&*held, &state(&registry, lookup), "{:?} at {}", lookup, index);
            }
        }
    }

    /// The coordinators are exactly those that the announced services declare, whether the registry
    /// was restored from a snapshot or not.
    #[test]
    fn coordinators_are_those_announced(batches in batches()) {
        let mut registry = Registry::new("test");
        for (i, batch) in batches.iter().enumerate() {
            let mut batch = at(i as u64 + 1, batch);
            super::coordinators::as_engines(&mut batch);
            registry.apply(i as u64 + 1, &batch);
        }
        let restored = Registry::from_snapshot(&registry.to_snapshot()).unwrap();
        let body: Value = serde_json::from_slice(registry.lookup(&Lookup::All).json()).unwrap();
        for pool in [None, Some("p0".to_owned())] {
            let query = CoordinatorQuery { engine: Some(Engine::Trino), pool: pool.clone() };
            let found = registry.coordinators(&query);
            prop_assert_eq!(&found, &restored.coordinators(&query));
            let found = found.found;
            let mut names: Vec<Option<String>> =
                found.iter().map(|found| found.node_id.clone()).collect();
            let mut expected: Vec<Option<String>> = body["services"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|service| pool.is_none() || service["pool"].as_str() == pool.as_deref())
                .filter(|service| match service["type"].as_str().unwrap() {
                    "trino-coordinator" => true,
                    "trino" => service["properties"]["coordinator"] == "TRUE",
                    _ => false,
                })
                .map(|service| service["nodeId"].as_str().map(str::to_owned))
                .collect();
            names.sort();
            expected.sort();
            // A node with two coordinator services is one coordinator; each static service is a
            // separate coordinator.
            expected.dedup_by(|one, other| one.is_some() && one == other);
            prop_assert_eq!(names, expected);
            prop_assert!(found.is_sorted_by(|one, other| one.joined_index >= other.joined_index));
        }
    }
}
