//! The parts of the state.

pub(crate) mod borrowed;
pub(crate) mod by_id;
pub(crate) mod by_type_and_pool;
pub(crate) mod changes;
pub(crate) mod cost;
mod growing;
pub(crate) mod listed;
pub(crate) mod node_counts;
pub(crate) mod node_entry;
pub(crate) mod rendered;
pub(crate) mod static_entry;
pub(crate) mod tombstones;
pub(crate) mod type_index;
