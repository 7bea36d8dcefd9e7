//! Inputs of the benchmarks. The announced nodes are like those of an engine, and each node takes
//! about 270 bytes in the result of a lookup.
//!
//! `cargo bench -p quorate-costs` prints the cost of each part. Counted allocations come first,
//! since they do not depend on the machine.

use quorate::model::{Announcement, Service};
use quorate::registry::{Batch, Command, Registry};
use std::collections::BTreeMap;

/// Number of commands in one entry under the load of 64 clients.
pub const BATCH: usize = 64;
/// The default of `discovery.max-age`.
const MAX_AGE_MS: u64 = 30_000;
/// Maximum advance of cluster time by one tick.
const STEP_MS: u64 = 500;

/// Returns the announcement of one node in one version. The announcements of two versions differ.
pub fn announcement(node: usize, version: usize) -> Announcement {
    let body = format!(
        r#"{{"environment":"test","pool":"general","location":"/rack-{}/w{node}","services":[{{
            "id":"00000000-0000-4000-8000-{node:012}","type":"presto","properties":{{
            "node_version":"0.{version}","coordinator":"false","http":"http://10.0.{}.{}:8080",
            "connectorIds":"tpch,hive,iceberg"}}}}]}}"#,
        node % 40,
        node / 256 % 256,
        node % 256,
    );
    Announcement::from_json(&format!("node-{node:012}"), body.as_bytes(), "test")
        .expect("a valid announcement")
}

/// Returns the batch of commands for one log entry.
pub fn batch(commands: Vec<Command>) -> Batch {
    Batch {
        max_age_ms: MAX_AGE_MS,
        step_ms: STEP_MS,
        commands,
    }
}

/// Returns the announcements of a range of nodes.
pub fn announce(nodes: std::ops::Range<usize>, version: usize) -> Vec<Command> {
    let announce = |node| Command::Announce {
        seen: u64::MAX,
        announcement: announcement(node, version),
    };
    nodes.map(announce).collect()
}

/// Returns the renewals of a range of nodes that announced this version.
pub fn renew(nodes: std::ops::Range<usize>, version: usize) -> Vec<Command> {
    let renew = |node| {
        let announcement = announcement(node, version);
        Command::Renew {
            seen: u64::MAX,
            digest: announcement.digest(),
            node_id: announcement.node_id,
        }
    };
    nodes.map(renew).collect()
}

/// Returns a registry with this number of nodes.
pub fn registry(nodes: usize) -> Registry {
    let mut registry = Registry::new("test");
    for first in (0..nodes).step_by(BATCH) {
        let entry = batch(announce(first..nodes.min(first + BATCH), 1));
        apply(&mut registry, &entry);
    }
    registry
}

/// Applies an entry at the next index, and takes the changes out of the registry, as the state
/// machine does.
pub fn apply(registry: &mut Registry, entry: &Batch) {
    let index = registry.applied_index() + 1;
    registry.apply(index, entry);
    registry.take_changes();
}

/// Returns one node's announcement of many services, whose ids begin with a prefix.
pub fn many_services(prefix: &str, count: usize, shape: RegistryShape) -> Announcement {
    let (types, properties) = match shape {
        RegistryShape::OneType => (1, BTreeMap::new()),
        RegistryShape::TypeEach => (count, BTreeMap::new()),
        RegistryShape::Versioned(version) => {
            let version = ("version".to_owned(), version.to_string());
            (1, BTreeMap::from([version]))
        }
    };
    let services = (0..count).map(|i| Service {
        id: format!("{prefix}{i:06}"),
        service_type: format!("t{}", i % types),
        properties: properties.clone(),
    });
    Announcement {
        node_id: "w1".to_owned(),
        pool: "general".to_owned(),
        location: "/w1".to_owned(),
        services: services.collect(),
    }
}

/// The way in which the services of one node differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryShape {
    /// The services differ only in their ids.
    OneType,
    /// Each service has its own type.
    TypeEach,
    /// The services have the same type, and a property that differs between versions.
    Versioned(usize),
}

/// Returns a batch of one announcement.
pub fn announced(announcement: Announcement) -> Batch {
    batch(vec![Command::Announce {
        seen: u64::MAX,
        announcement,
    }])
}
