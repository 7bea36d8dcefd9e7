//! What lookups are answered with.

use super::group::Group;
use crate::model::{CoordinatorQuery, Coordinators, Lookup};
use crate::registry::Rendered;
use std::sync::Arc;

/// What a lookup was answered with.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The rendered bytes, shared by every reader of the same state.
    pub rendered: Arc<Rendered>,
    /// The applied index of the state that it was answered from.
    pub index: u64,
    /// The log index of the last change of these bytes; it never goes back.
    pub changed_index: u64,
}

/// Where a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The applied index.
    pub index: u64,
    /// The log index of the last change of the lookup asked for; it never goes back.
    pub changed_index: u64,
}

impl Answer {
    /// Where the node was that gave it.
    pub fn progress(&self) -> Progress {
        Progress {
            index: self.index,
            changed_index: self.changed_index,
        }
    }
}

pub(super) fn answer(group: &Group, lookup: &Lookup) -> Answer {
    let registry = group.replica.registry();
    Answer {
        rendered: registry.lookup(lookup),
        index: registry.applied_index(),
        changed_index: registry.changed_index(lookup),
    }
}

pub(super) fn coordinators(group: &Group, query: &CoordinatorQuery) -> (Coordinators, u64) {
    let registry = group.replica.registry();
    (registry.coordinators(query), registry.applied_index())
}
