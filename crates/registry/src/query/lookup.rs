//! Renders lookups.

use super::growing::Growing;
use crate::model::{Lookup, write_json_service, write_json_string};
use crate::registry::Registry;
use crate::state::node_entry::{Held, Unpacked};
use crate::state::rendered::Rendered;
use crate::state::type_index::PoolGroup;
use std::sync::Arc;

impl Registry {
    /// Returns the bytes of a lookup: the same `Arc` for every reader until a service of the lookup
    /// changes.
    ///
    /// - Renewals, ticks that remove nothing and changes of other types do not affect the bytes.
    /// - Services are sorted by pool (in a lookup by type), node id and service id; static services
    ///   come last.
    /// - Services of two nodes with the same id are all included. airlift hides one of the two live
    ///   nodes, as an accident of its set, which is of no use.
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

    /// Returns the log index of the last change of a lookup's bytes. It never decreases: for a
    /// lookup without services it is the index at which a type last vanished from a pool.
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

    /// Renders a lookup from scratch.
    pub(crate) fn render(&self, lookup: &Lookup) -> Rendered {
        // The counted bytes include the JSON, except at the levels that did not count it.
        let mut list = List::new(&self.environment, self.held_bytes);
        match lookup {
            Lookup::All => {
                self.nodes
                    .values()
                    .for_each(|held| list.services(&held.unpack(), None));
                self.statics.keys().for_each(|id| list.one_static(self, id));
            }
            Lookup::Statics => self.statics.keys().for_each(|id| list.one_static(self, id)),
            Lookup::Type(service_type) => {
                let pools = self.groups.of_type(service_type).map(|group| &group.pools);
                let groups = || pools.into_iter().flat_map(|pools| pools.values());
                groups().for_each(|group| list.nodes(self, group, service_type));
                groups().for_each(|group| list.statics(self, group));
            }
            Lookup::TypeAndPool(service_type, pool) => {
                if let Some(group) = self.groups.of_pool(service_type, pool) {
                    list.nodes(self, group, service_type);
                    list.statics(self, group);
                }
            }
        }
        list.finish()
    }
}

/// The body of a lookup under construction.
struct List {
    json: Growing,
    empty: bool,
}

impl List {
    /// Creates a body of at most about `most_bytes` bytes.
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

    fn nodes(&mut self, registry: &Registry, group: &PoolGroup, service_type: &str) {
        let held = group
            .nodes
            .iter()
            .filter_map(|node_id| registry.nodes.get(node_id));
        held.map(Held::unpack)
            .for_each(|node| self.services(&node, Some(service_type)));
    }

    fn statics(&mut self, registry: &Registry, group: &PoolGroup) {
        group
            .statics
            .iter()
            .for_each(|id| self.one_static(registry, id));
    }

    fn one_static(&mut self, registry: &Registry, id: &str) {
        if let Some(held) = registry.statics.get(id) {
            held.service.write_json(self.next());
        }
    }

    fn finish(mut self) -> Rendered {
        self.json.end().extend_from_slice(b"]}\n");
        Rendered::new(self.json.finish())
    }
}
