//! Applies commands to the state.

pub(crate) mod capacity;
mod expiry;
mod log_entry;
mod node;
mod reindex;
mod statics;
