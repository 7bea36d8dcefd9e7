//! Answers lookups.

use super::groups::PoolGroup;
use super::growing::Growing;
use super::held::{Packed, Unpacked};
use super::{Held, Registry, Rendered};
use crate::model::{Lookup, StaticService, write_json_service, write_json_string};
use std::sync::Arc;

impl Registry {
    /// The bytes of a lookup: the same `Arc` for every reader until a service of the lookup changes.
    ///
    /// - Renewals, ticks that remove nothing and changes of other types leave the bytes as they are.
    /// - Services stand in the order of pool (in a lookup by type), node id and service id, statics last.
    /// - Services of two nodes that share an id are all there: to hide one of two live nodes, as airlift does by
    ///   the accident of its set, helps nobody.
    pub fn lookup(&self, lookup: &Lookup) -> Arc<Rendered> {
        let found = match lookup {
            Lookup::All | Lookup::Statics => true,
            Lookup::Type(service_type) => self.groups.of_type(service_type).is_some(),
            Lookup::TypeAndPool(service_type, pool) => {
                self.groups.of_pool(service_type, pool).is_some()
            }
        };
        if found {
            self.renderings.get(lookup, || self.render(lookup))
        } else {
            self.renderings.nothing(|| self.render(lookup))
        }
    }

    /// The log index of the last change of a lookup's bytes. It never goes back: a lookup that finds no service has
    /// the index at which a type last vanished from a pool.
    pub fn changed_index(&self, lookup: &Lookup) -> u64 {
        let of_group = match lookup {
            Lookup::All => Some(self.changed_index),
            Lookup::Statics => Some(self.statics_changed_index),
            Lookup::Type(service_type) => self
                .groups
                .of_type(service_type)
                .map(|group| group.changed_index),
            Lookup::TypeAndPool(service_type, pool) => self
                .groups
                .of_pool(service_type, pool)
                .map(|group| group.changed_index),
        };
        of_group.unwrap_or(self.vanished_index)
    }

    /// Renders a lookup anew, or says of a large one what it is to be rendered from.
    pub(super) fn render(&self, lookup: &Lookup) -> Rendered {
        let mut listed = Listed {
            environment: self.environment.clone(),
            only_type: None,
            nodes: Vec::new(),
            statics: Vec::new(),
            // What is held counts with its JSON, but for the levels that did not count it.
            most_bytes: self.held_bytes,
        };
        match lookup {
            Lookup::All => {
                listed.nodes = self.nodes.values().map(Held::share).collect();
                listed.add_statics(self, self.statics.keys());
            }
            Lookup::Statics => listed.add_statics(self, self.statics.keys()),
            Lookup::Type(service_type) => {
                listed.only_type = Some(service_type.clone());
                let pools = self.groups.of_type(service_type).map(|group| &group.pools);
                let groups = || pools.into_iter().flat_map(|pools| pools.values());
                groups().for_each(|group| listed.add_nodes(self, group));
                groups().for_each(|group| listed.add_statics(self, &group.statics));
            }
            Lookup::TypeAndPool(service_type, pool) => {
                listed.only_type = Some(service_type.clone());
                if let Some(group) = self.groups.of_pool(service_type, pool) {
                    listed.add_nodes(self, group);
                    listed.add_statics(self, &group.statics);
                }
            }
        }
        Rendered::of(listed)
    }
}

/// What a lookup finds: quick to take, and rendered elsewhere.
#[derive(Debug)]
pub(super) struct Listed {
    environment: String,
    /// Of the nodes' services, those of this type are shown; all without one.
    only_type: Option<String>,
    nodes: Vec<Packed>,
    statics: Vec<Arc<StaticService>>,
    most_bytes: usize,
}

impl Listed {
    fn add_nodes(&mut self, registry: &Registry, group: &PoolGroup) {
        let held = group.nodes.iter().filter_map(|id| registry.nodes.get(id));
        self.nodes.extend(held.map(Held::share));
    }

    fn add_statics<'a>(
        &mut self,
        registry: &Registry,
        ids: impl IntoIterator<Item = &'a Arc<str>>,
    ) {
        let held = ids.into_iter().filter_map(|id| registry.statics.get(id));
        self.statics.extend(held.map(|held| held.service.clone()));
    }

    /// Returns about how much there is to render.
    pub fn packed_bytes(&self) -> usize {
        /// About what a static service takes: none is large, and they are not packed.
        const STATIC_BYTES: usize = 256;
        let nodes: usize = self.nodes.iter().map(Packed::len).sum();
        nodes + self.statics.len() * STATIC_BYTES
    }

    /// Renders it.
    pub fn render(self) -> Vec<u8> {
        let mut body = Body::new(&self.environment, self.most_bytes);
        for node in &self.nodes {
            body.services(&node.unpack(), self.only_type.as_deref());
        }
        for service in &self.statics {
            service.write_json(body.next());
        }
        body.finish()
    }
}

/// A body while it is written.
struct Body {
    json: Growing,
    empty: bool,
}

impl Body {
    /// Of at most about this size.
    fn new(environment: &str, most_bytes: usize) -> Self {
        let mut json = Growing::new(most_bytes);
        let start = json.end();
        start.extend_from_slice(b"{\"environment\":");
        write_json_string(start, environment);
        start.extend_from_slice(b",\"services\":[");
        Self { json, empty: true }
    }

    fn next(&mut self) -> &mut Vec<u8> {
        let end = self.json.end();
        if !std::mem::take(&mut self.empty) {
            end.push(b',');
        }
        end
    }

    fn services(&mut self, node: &Unpacked<'_>, only_type: Option<&str>) {
        let wanted = |service_type: &str| only_type.is_none_or(|only| only == service_type);
        for service in node
            .services
            .iter()
            .filter(|service| wanted(service.service_type))
        {
            let texts = [service.service_type, node.pool, node.location];
            write_json_service(
                self.next(),
                service.id,
                Some(node.node_id),
                texts,
                service.properties.iter().copied(),
            );
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.json.end().extend_from_slice(b"]}\n");
        self.json.finish()
    }
}
