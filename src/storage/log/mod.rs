//! The log as it is in memory: its ends, its newest entries, and how large it is.

pub(super) mod bounds;
pub(super) mod recovered_state;
pub(super) mod size_index;
pub(super) mod view;
