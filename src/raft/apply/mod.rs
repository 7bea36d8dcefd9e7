//! What is committed becomes the state that lookups read.

pub(super) mod committed_log;
pub(super) mod evidence;
pub(super) mod replica;
pub(super) mod snapshot_body;
pub(super) mod state_machine;
pub(super) mod tick_history;
pub(super) mod tick_timing;
