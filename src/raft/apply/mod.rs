//! Applies committed entries to the state from which lookups are answered.

pub(super) mod committed_log;
pub(super) mod evidence;
pub(super) mod replica;
pub(super) mod snapshot_body;
pub(super) mod state_machine;
pub(super) mod tick_history;
pub(super) mod tick_timing;
