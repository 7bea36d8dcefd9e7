//! The in-memory state of the log: its bounds, its newest entries, and its size.

pub(super) mod bounds;
pub(super) mod recovered_state;
pub(super) mod size_index;
pub(super) mod view;
