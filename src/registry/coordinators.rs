//! Where the coordinators are.

use super::held::is_true;
use super::{Held, Registry};
use crate::model::{Coordinator, CoordinatorQuery, Engine, http_address};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Of the addresses that a service announces, the first of these that is one is the coordinator's: what is meant for those outside
/// before what is meant for the engine's own nodes, and `https` before `http`, as airlift's service inventory prefers it.
const ADDRESS_PROPERTIES: [&str; 4] = ["https-external", "http-external", "https", "http"];

impl Registry {
    /// The coordinators, the one that joined last first; of two that joined with one entry, the one with the greater node
    /// id. A node is one by a service of type `{engine}-coordinator`, or of the engine's own type with `coordinator=true`;
    /// so is a static service. One that announces no address is left out.
    pub fn coordinators(&self, query: &CoordinatorQuery) -> Vec<Coordinator> {
        let mut found = Vec::new();
        for engine in Engine::ALL {
            if query.engine.is_none_or(|wanted| wanted == engine) {
                self.coordinators_of(engine, query.pool.as_deref(), &mut found);
            }
        }
        found.sort_by(|one, other| {
            let key =
                |found: &Coordinator| (Reverse(found.joined_index), Reverse(found.node_id.clone()));
            key(one).cmp(&key(other))
        });
        found
    }

    fn coordinators_of(&self, engine: Engine, pool: Option<&str>, found: &mut Vec<Coordinator>) {
        let mut by_name: BTreeMap<&str, Coordinator> = BTreeMap::new();
        for service_type in [engine.coordinator_type(), engine.service_type()] {
            let every_node = service_type == engine.coordinator_type();
            let pools = self.groups.of_type(service_type).map(|group| &group.pools);
            for (_, group) in pools
                .into_iter()
                .flatten()
                .filter(|(name, _)| pool.is_none_or(|wanted| wanted == name.as_str()))
            {
                let nodes = if every_node {
                    &group.nodes
                } else {
                    &group.coordinators
                };
                for node_id in nodes {
                    if let Some(held) = self.nodes.get(node_id)
                        && !by_name.contains_key(&**node_id)
                        && let Some(coordinator) = of_node(engine, service_type, held)
                    {
                        by_name.insert(node_id, coordinator);
                    }
                }
                found.extend(
                    group
                        .statics
                        .iter()
                        .filter_map(|id| self.of_static(engine, every_node, id)),
                );
            }
        }
        found.extend(by_name.into_values());
    }

    fn of_static(
        &self,
        engine: Engine,
        of_coordinator_type: bool,
        id: &str,
    ) -> Option<Coordinator> {
        let held = self.statics.get(id)?;
        let service = &held.service;
        let property = |name: &str| service.properties.get(name);
        if !of_coordinator_type && !is_true(property("coordinator")) {
            return None;
        }
        Some(Coordinator {
            uri: address(property)?,
            engine,
            node_id: None,
            pool: service.pool.clone(),
            location: service.location.clone(),
            joined_index: held.changed_index,
            properties: service.properties.iter().to_map(),
        })
    }
}

fn of_node(engine: Engine, service_type: &str, held: &Held) -> Option<Coordinator> {
    let node = held.unpack();
    let of_coordinator_type = service_type == engine.coordinator_type();
    node.services.iter().find_map(|service| {
        let is_one = service.service_type == service_type
            && (of_coordinator_type || service.says_coordinator());
        let uri = address(|name| service.property(name)).filter(|_| is_one)?;
        Some(Coordinator {
            uri,
            engine,
            node_id: Some(node.node_id.to_owned()),
            pool: node.pool.to_owned(),
            location: node.location.to_owned(),
            joined_index: held.joined_index,
            properties: service
                .properties
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        })
    })
}

fn address<'a>(property: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    ADDRESS_PROPERTIES
        .iter()
        .find_map(|name| http_address(property(name)?))
        .map(str::to_owned)
}
