//! The writer of a data directory, and the state that it shares with the store's handles.

mod batch;
pub(super) mod group_commit;
pub(super) mod shared;
pub(super) mod thread;
