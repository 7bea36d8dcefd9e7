//! The results of lookups.

use super::group::Group;
use crate::model::{Announcement, CoordinatorQuery, Coordinators, Lookup};
use crate::registry::Rendered;
use std::sync::Arc;

/// The result of a lookup.
#[derive(Debug, Clone)]
pub struct LookupResult {
    /// The rendered bytes, shared by every reader of the same state.
    pub rendered: Arc<Rendered>,
    /// The applied index of the state from which the result was read.
    pub index: u64,
    /// The log index of the last change of these bytes; it never decreases.
    pub changed_index: u64,
}

/// The log position of a node's state, and of a lookup in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupProgress {
    /// The applied index.
    pub index: u64,
    /// The log index of the last change of the requested lookup; it never decreases.
    pub changed_index: u64,
}

impl LookupResult {
    /// Returns the position of the state from which the result was read.
    pub fn progress(&self) -> LookupProgress {
        LookupProgress {
            index: self.index,
            changed_index: self.changed_index,
        }
    }
}

/// Performs a lookup in this node's registry.
pub(super) fn look_up(group: &Group, lookup: &Lookup) -> LookupResult {
    let registry = group.replica.registry();
    LookupResult {
        rendered: registry.lookup(lookup),
        index: registry.applied_index(),
        changed_index: registry.changed_index(lookup),
    }
}

/// Returns the announcement of a node in this node's registry.
pub(super) fn announcement(group: &Group, node_id: &str) -> Option<Announcement> {
    Some(group.replica.registry().held(node_id)?.announcement())
}

/// Returns a property of the services that a node has announced, as this node's registry has it. If
/// several services have the property, returns that of the first one.
pub(super) fn announced_property(group: &Group, node_id: &str, name: &str) -> Option<String> {
    let announcement = announcement(group, node_id)?;
    let services = announcement.services.iter();
    let mut values = services.filter_map(|service| service.properties.get(name));
    values.next().map(str::to_owned)
}

/// Returns the coordinators in this node's registry, with its applied index.
pub(super) fn coordinators(group: &Group, query: &CoordinatorQuery) -> (Coordinators, u64) {
    let registry = group.replica.registry();
    (registry.coordinators(query), registry.applied_index())
}
