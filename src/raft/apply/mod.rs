//! Applies committed entries to the state from which lookups are answered.
//!
//! openraft passes an entry to [`state_machine`], which passes it to [`replica`], this node's copy
//! of the registry. The replica calls `Registry::apply_proposed` in
//! `crates/registry/src/apply/log_entry.rs`, which executes each command. Afterwards the replica
//! notifies readers and watchers.
//!
//! - [`snapshot_body`] is the body of a snapshot that openraft passes on.
//! - [`evidence`] stores the log positions that this node knows of, which decide the order of
//!   writes.
//! - [`tick_history`] detects gaps between ticks, and [`tick_timing`] sets the rate of ticks.
//! - [`committed_log`] reads the log of a stopped node.

pub(super) mod committed_log;
pub(super) mod evidence;
pub(super) mod replica;
pub(super) mod snapshot_body;
pub(super) mod state_machine;
pub(super) mod tick_history;
pub(super) mod tick_timing;
