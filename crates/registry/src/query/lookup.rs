//! Answers lookups: finds the cached bytes of a lookup, or collects the announcements and static
//! services that `state::listed` renders.

use crate::model::{Lookup, StaticService};
use crate::registry::Registry;
use crate::state::listed::Listed;
use crate::state::node_entry::{NodeEntry, PackedAnnouncement};
use crate::state::rendered::Rendered;
use crate::state::type_index::PoolEntry;
use std::sync::Arc;

impl Registry {
    /// Returns the bytes of a lookup. Every reader gets the same `Arc` until a service of the
    /// lookup changes.
    ///
    /// - Renewals, ticks that remove nothing and changes of other types do not affect the bytes.
    /// - Services are sorted by pool (in a lookup by type), node id and service id. Static services
    ///   come last.
    /// - If two nodes announce services with the same id, the lookup includes both services.
    ///   airlift collects services in a set, and therefore shows only one of the two services and
    ///   hides a live node.
    pub fn lookup(&self, lookup: &Lookup) -> Arc<Rendered> {
        let found = match lookup {
            Lookup::All | Lookup::Statics => true,
            Lookup::Type(service_type) => self.index.of_type(service_type).is_some(),
            Lookup::TypeAndPool(service_type, pool) => {
                self.index.of_pool(service_type, pool).is_some()
            }
        };
        if found {
            self.renderings.get(lookup, || self.render(lookup))
        } else {
            self.renderings.nothing(|| self.render(lookup))
        }
    }

    /// Returns the log index of the last change of a lookup's bytes. For a lookup without services,
    /// this is the index at which any type last vanished from any pool. The returned index
    /// therefore never decreases.
    pub fn changed_index(&self, lookup: &Lookup) -> u64 {
        let of_lookup = match lookup {
            Lookup::All => Some(self.changed_index),
            Lookup::Statics => Some(self.statics_changed_index),
            Lookup::Type(service_type) => self
                .index
                .of_type(service_type)
                .map(|of_type| of_type.changed_index),
            Lookup::TypeAndPool(service_type, pool) => self
                .index
                .of_pool(service_type, pool)
                .map(|of_pool| of_pool.changed_index),
        };
        of_lookup.unwrap_or(self.vanished_index)
    }

    /// Renders a lookup from scratch. For a large lookup, this only collects the announcements and
    /// static services, which are rendered on first use.
    pub(crate) fn render(&self, lookup: &Lookup) -> Rendered {
        let mut listed = Listed {
            environment: self.environment.clone(),
            only_type: None,
            nodes: Vec::new(),
            statics: Vec::new(),
            // From `LEVEL_OF_LIMITS` on, `held_bytes` includes the JSON of all services, and is an
            // upper bound of the body's size. Below that level, the body may be larger.
            most_bytes: self.held_bytes,
        };
        match lookup {
            Lookup::All => {
                listed.nodes = self.nodes.values().map(NodeEntry::share).collect();
                listed
                    .statics
                    .extend(self.statics_by_id(self.statics.keys()));
            }
            Lookup::Statics => listed
                .statics
                .extend(self.statics_by_id(self.statics.keys())),
            Lookup::Type(service_type) => {
                listed.only_type = Some(service_type.clone());
                let pools = self
                    .index
                    .of_type(service_type)
                    .map(|of_type| &of_type.pools);
                let index = || pools.into_iter().flat_map(|pools| pools.values());
                listed
                    .nodes
                    .extend(index().flat_map(|of_pool| self.nodes_of(of_pool)));
                let statics = index().flat_map(|of_pool| self.statics_by_id(&of_pool.statics));
                listed.statics.extend(statics);
            }
            Lookup::TypeAndPool(service_type, pool) => {
                listed.only_type = Some(service_type.clone());
                if let Some(of_pool) = self.index.of_pool(service_type, pool) {
                    listed.nodes.extend(self.nodes_of(of_pool));
                    listed.statics.extend(self.statics_by_id(&of_pool.statics));
                }
            }
        }
        Rendered::of(listed)
    }

    fn nodes_of(&self, of_pool: &PoolEntry) -> impl Iterator<Item = PackedAnnouncement> {
        let entries = of_pool.nodes.iter().filter_map(|id| self.nodes.get(id));
        entries.map(NodeEntry::share)
    }

    fn statics_by_id<'a>(
        &'a self,
        ids: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> impl Iterator<Item = Arc<StaticService>> {
        let entries = ids.into_iter().filter_map(|id| self.statics.get(id));
        entries.map(|entry| entry.service.clone())
    }
}
