//! The index of types and pools: their members, and the log indexes of their last changes.

use crate::model::Fingerprint;
use crate::state::borrowed::BorrowedService;
use crate::state::cost::{POOL_BYTES, TYPE_BYTES};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The index from type and pool to nodes and static services.
///
/// - A pool without members and a type without pools are removed. The number of services therefore
///   limits the size of the index.
/// - `sum` is the sum of the elements (parts of the digest) of all types and pools.
/// - `bytes` is the memory cost of all types and pools (`state::cost`).
#[derive(Debug, Default)]
pub(crate) struct TypeIndex {
    types: BTreeMap<Arc<str>, TypeEntry>,
    sum: u128,
    bytes: usize,
}

/// All pools of a type.
#[derive(Debug, Default)]
pub(crate) struct TypeEntry {
    /// The log index at which a service of this type was last added, changed or removed.
    pub changed_index: u64,
    /// The pools of the type. They are boxed because most types have one pool, and a `BTreeMap`
    /// allocates room for eleven values in each of its nodes.
    pub pools: BTreeMap<Arc<str>, Box<PoolEntry>>,
}

/// One type in one pool.
#[derive(Debug, Default)]
pub(crate) struct PoolEntry {
    /// The log index at which a service of this type in this pool was last added, changed or
    /// removed.
    pub changed_index: u64,
    /// The nodes that announce the type in this pool.
    pub nodes: BTreeSet<Arc<str>>,
    /// The subset of `nodes` with a service of the type that has `coordinator=true`. It is derived
    /// from the announcements, and therefore part of neither snapshot nor digest.
    pub coordinators: BTreeSet<Arc<str>>,
    /// The ids of the static services of the type in this pool.
    pub statics: BTreeSet<Arc<str>>,
}

impl TypeIndex {
    /// Changes the members of a pool on behalf of the entry at `index`. Returns true if the pool
    /// is empty and was removed.
    pub fn change(
        &mut self,
        service_type: &str,
        pool: &str,
        index: u64,
        change: impl FnOnce(&mut PoolEntry),
    ) -> bool {
        change(self.touched(service_type, pool, index));
        let is_gone = self
            .of_pool(service_type, pool)
            .is_some_and(PoolEntry::is_empty);
        if is_gone {
            self.remove(service_type, pool);
        }
        is_gone
    }

    /// Returns the pool, creating it if necessary, and marks it as changed by the entry at
    /// `index`.
    fn touched(&mut self, service_type: &str, pool: &str, index: u64) -> &mut PoolEntry {
        // All commands of one log entry have the same index. Only the first command that touches
        // this pool sets `changed_index` of the pool and of its type, and updates `sum`.
        if !self.is_touched(service_type, pool, index) {
            self.sum = self.sum.wrapping_sub(self.elements(service_type, pool));
            self.restored(service_type, pool).changed_index = index;
            if let Some(of_type) = self.types.get_mut(service_type) {
                of_type.changed_index = index;
            }
            self.sum = self.sum.wrapping_add(self.elements(service_type, pool));
        }
        self.restored(service_type, pool)
    }

    fn is_touched(&self, service_type: &str, pool: &str, index: u64) -> bool {
        let of_type = self.types.get(service_type);
        of_type.is_some_and(|of_type| {
            let of_pool = of_type.pools.get(pool);
            of_type.changed_index == index
                && of_pool.is_some_and(|of_pool| of_pool.changed_index == index)
        })
    }

    fn remove(&mut self, service_type: &str, pool: &str) {
        self.sum = self.sum.wrapping_sub(self.elements(service_type, pool));
        if let Some(of_type) = self.types.get_mut(service_type) {
            if of_type.pools.remove(pool).is_some() {
                self.bytes -= POOL_BYTES + pool.len();
            }
            if of_type.pools.is_empty() {
                self.types.remove(service_type);
                self.bytes -= TYPE_BYTES + service_type.len();
            }
        }
        self.sum = self.sum.wrapping_add(self.elements(service_type, pool));
    }

    /// Returns the pool, creating it if necessary, while a snapshot is restored. `restore_indexes`
    /// must be called afterwards.
    pub fn restored(&mut self, service_type: &str, pool: &str) -> &mut PoolEntry {
        if !self.types.contains_key(service_type) {
            self.types
                .insert(Arc::from(service_type), TypeEntry::default());
            self.bytes += TYPE_BYTES + service_type.len();
        }
        let of_type = self.types.get_mut(service_type).expect(MADE);
        if !of_type.pools.contains_key(pool) {
            of_type.pools.insert(Arc::from(pool), Box::default());
            self.bytes += POOL_BYTES + pool.len();
        }
        of_type.pools.get_mut(pool).expect(MADE)
    }

    /// Returns the pools of a type, with the index of its last change.
    pub fn of_type(&self, service_type: &str) -> Option<&TypeEntry> {
        self.types.get(service_type)
    }

    /// Returns one pool of a type.
    pub fn of_pool(&self, service_type: &str, pool: &str) -> Option<&PoolEntry> {
        Some(&**self.types.get(service_type)?.pools.get(pool)?)
    }

    /// Returns the cost of all types and pools in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns every type and pool with the indexes of their last changes, in order, for a
    /// snapshot.
    pub fn indexes(&self) -> Vec<TypeIndexes> {
        let pools = |of_type: &TypeEntry| {
            of_type
                .pools
                .iter()
                .map(|(pool, of_pool)| (pool.clone(), of_pool.changed_index))
                .collect()
        };
        self.types
            .iter()
            .map(|(name, of_type)| (name.clone(), of_type.changed_index, pools(of_type)))
            .collect()
    }

    /// Restores the log indexes of a snapshot. Returns whether the snapshot has exactly the types
    /// and pools of this index.
    pub fn restore_indexes(&mut self, indexes: &[TypeIndexes]) -> bool {
        for (service_type, changed_index, pools) in indexes {
            let Some(of_type) = self.types.get_mut(service_type) else {
                return false;
            };
            of_type.changed_index = *changed_index;
            for (pool, changed_index) in pools {
                let Some(of_pool) = of_type.pools.get_mut(pool) else {
                    return false;
                };
                of_pool.changed_index = *changed_index;
            }
        }
        self.sum = self.recompute_sum();
        self.indexes() == indexes
    }

    /// Returns the sum of the elements of all types and pools, which is kept up to date.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// Recomputes the sum of the elements.
    pub fn recompute_sum(&self) -> u128 {
        self.types.iter().fold(0u128, |sum, (name, of_type)| {
            of_type.pools.iter().fold(
                sum.wrapping_add(type_element(name, of_type.changed_index)),
                |sum, (pool, of_pool)| {
                    sum.wrapping_add(pool_element(name, pool, of_pool.changed_index))
                },
            )
        })
    }

    fn elements(&self, service_type: &str, pool: &str) -> u128 {
        let Some(of_type) = self.types.get(service_type) else {
            return 0;
        };
        let of_pool = of_type.pools.get(pool).map_or(0, |of_pool| {
            pool_element(service_type, pool, of_pool.changed_index)
        });
        type_element(service_type, of_type.changed_index).wrapping_add(of_pool)
    }
}

/// The panic message for map lookups that cannot fail but are needed to satisfy the borrow checker.
const MADE: &str = "it is there, or was made above";

/// A type with the log index of its last change, and its pools, each with the log index of its last
/// change.
pub(crate) type TypeIndexes = (Arc<str>, u64, Vec<(Arc<str>, u64)>);

impl PoolEntry {
    /// Adds a node that announces the type in this pool with these services.
    pub fn enter(&mut self, node_id: &Arc<str>, services: &[&BorrowedService<'_>]) {
        self.nodes.insert(node_id.clone());
        if services.iter().any(|service| service.says_coordinator()) {
            self.coordinators.insert(node_id.clone());
        } else {
            self.coordinators.remove(node_id);
        }
    }

    /// Removes a node that no longer announces the type in this pool.
    pub fn leave(&mut self, node_id: &str) {
        self.nodes.remove(node_id);
        self.coordinators.remove(node_id);
    }

    fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.statics.is_empty()
    }
}

fn type_element(service_type: &str, changed_index: u64) -> u128 {
    Fingerprint::of("type")
        .text(service_type)
        .number(changed_index)
        .finish()
}

fn pool_element(service_type: &str, pool: &str, changed_index: u64) -> u128 {
    Fingerprint::of("pool")
        .text(service_type)
        .text(pool)
        .number(changed_index)
        .finish()
}
