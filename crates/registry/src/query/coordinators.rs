//! Finds the coordinators of the engines.

use crate::model::{
    Coordinator, CoordinatorQuery, Coordinators, Engine, UnusableCoordinator, client_address, shown,
};
use crate::registry::Registry;
use crate::state::borrowed::is_true;
use crate::state::node_entry::NodeEntry;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The properties with addresses, by priority. The first usable address of a service is the address
/// of the coordinator. Addresses for external clients come before addresses for the engine's own
/// nodes, and `https` comes before `http`, as in airlift's service inventory.
const ADDRESS_PROPERTIES: [&str; 4] = ["https-external", "http-external", "https", "http"];

/// Maximum number of coordinators without a usable address that are reported.
const UNUSABLE_MAX: usize = 8;

/// A coordinator, or the problem with its address.
type Found = Result<Coordinator, UnusableCoordinator>;

impl Registry {
    /// Returns the coordinators, most recently joined first. If two coordinators joined with the
    /// same log entry, the one with the greater node id comes first.
    ///
    /// A node is a coordinator if it has a service of type `{engine}-coordinator`, or a service of
    /// the engine's own type with `coordinator=true`. The same two conditions apply to a static
    /// service. Coordinators without an address that a client could be redirected to are returned
    /// separately.
    pub fn coordinators(&self, query: &CoordinatorQuery) -> Coordinators {
        let mut all = Vec::new();
        for engine in Engine::ALL {
            if query.engine.is_none_or(|wanted| wanted == engine) {
                self.coordinators_of(engine, query.pool.as_deref(), &mut all);
            }
        }
        let (mut found, mut unusable) = (Vec::new(), Vec::new());
        for one in all {
            match one {
                Ok(coordinator) => found.push(coordinator),
                Err(without) => unusable.push(without),
            }
        }
        found.sort_by(|one, other| {
            let key =
                |found: &Coordinator| (Reverse(found.joined_index), Reverse(found.node_id.clone()));
            key(one).cmp(&key(other))
        });
        unusable.sort_by_key(|without| {
            (
                Reverse(without.joined_index),
                Reverse(without.node_id.clone()),
            )
        });
        unusable.truncate(UNUSABLE_MAX);
        Coordinators { found, unusable }
    }

    /// Returns the number of nodes that are coordinators of an engine, with or without a usable
    /// address. Does not unpack their announcements.
    pub fn coordinator_nodes(&self, engine: Engine) -> usize {
        let pools = |service_type: &str| {
            let of_type = self.index.of_type(service_type);
            of_type
                .into_iter()
                .flat_map(|of_type| of_type.pools.values())
        };
        let by_type = pools(engine.coordinator_type()).flat_map(|of_pool| &of_pool.nodes);
        let by_property = pools(engine.service_type()).flat_map(|of_pool| &of_pool.coordinators);
        by_type.chain(by_property).collect::<BTreeSet<_>>().len()
    }

    /// Adds the coordinators of one engine to `all`, including those without a usable address.
    fn coordinators_of(&self, engine: Engine, pool: Option<&str>, all: &mut Vec<Found>) {
        let mut by_name: BTreeMap<&str, Found> = BTreeMap::new();
        for service_type in [engine.coordinator_type(), engine.service_type()] {
            let every_node = service_type == engine.coordinator_type();
            let pools = self
                .index
                .of_type(service_type)
                .map(|of_type| &of_type.pools);
            for (_, of_pool) in pools
                .into_iter()
                .flatten()
                .filter(|(name, _)| pool.is_none_or(|wanted| wanted == &***name))
            {
                let nodes = if every_node {
                    &of_pool.nodes
                } else {
                    &of_pool.coordinators
                };
                for node_id in nodes {
                    // A node without a usable address in its services of the first type may have
                    // one in its services of the second type.
                    if let Some(entry) = self.nodes.get(node_id)
                        && !matches!(by_name.get(&**node_id), Some(Ok(_)))
                        && let Some(found) = of_node(engine, service_type, entry)
                    {
                        by_name.insert(node_id, found);
                    }
                }
                all.extend(
                    of_pool
                        .statics
                        .iter()
                        .filter_map(|id| self.of_static(engine, every_node, id)),
                );
            }
        }
        all.extend(by_name.into_values());
    }

    /// Returns a static service as a coordinator, or the problem with its address; `None` if it is
    /// no coordinator.
    fn of_static(&self, engine: Engine, of_coordinator_type: bool, id: &str) -> Option<Found> {
        let entry = self.statics.get(id)?;
        let service = &entry.service;
        let property = |name: &str| service.properties.get(name);
        if !of_coordinator_type && !is_true(property("coordinator")) {
            return None;
        }
        let coordinator = |uri| Coordinator {
            uri,
            engine,
            node_id: None,
            pool: service.pool.clone(),
            location: service.location.clone(),
            joined_index: entry.changed_index,
            properties: service.properties.iter().to_map(),
        };
        let unusable = |reason| UnusableCoordinator {
            engine,
            node_id: None,
            pool: service.pool.clone(),
            reason,
            joined_index: entry.changed_index,
        };
        Some(address(property).map(coordinator).map_err(unusable))
    }
}

/// Returns the node as a coordinator, with the address of its first coordinator service that has a
/// usable address. If no address is usable, returns the problem with the first coordinator service.
fn of_node(engine: Engine, service_type: &str, entry: &NodeEntry) -> Option<Found> {
    let node = entry.unpack();
    let of_coordinator_type = service_type == engine.coordinator_type();
    let mut unusable = None;
    for service in node.services.iter() {
        let is_one = service.service_type == service_type
            && (of_coordinator_type || service.says_coordinator());
        if !is_one {
            continue;
        }
        match address(|name| service.property(name)) {
            Ok(uri) => {
                return Some(Ok(Coordinator {
                    uri,
                    engine,
                    node_id: Some(node.node_id.to_owned()),
                    pool: node.pool.to_owned(),
                    location: node.location.to_owned(),
                    joined_index: entry.joined_index,
                    properties: service
                        .properties
                        .iter()
                        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                        .collect(),
                }));
            }
            Err(reason) => {
                unusable.get_or_insert(reason);
            }
        }
    }
    unusable.map(|reason| {
        Err(UnusableCoordinator {
            engine,
            node_id: Some(node.node_id.to_owned()),
            pool: node.pool.to_owned(),
            reason,
            joined_index: entry.joined_index,
        })
    })
}

/// Returns the address that a client is redirected to, or the reason why there is none.
fn address<'a>(property: impl Fn(&str) -> Option<&'a str>) -> Result<String, String> {
    let mut reason = None;
    for name in ADDRESS_PROPERTIES {
        let Some(text) = property(name) else {
            continue;
        };
        match client_address(text) {
            Ok(address) => return Ok(address),
            Err(why) => {
                reason.get_or_insert_with(|| format!("{name} is '{}': {why}", shown(text)));
            }
        }
    }
    Err(reason.unwrap_or_else(|| format!("it announces none of {}", ADDRESS_PROPERTIES.join(", "))))
}
