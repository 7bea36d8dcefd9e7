//! Queues in which reads and writes wait, and their batching.

pub(super) mod batcher;
pub(super) mod entry_size;
pub(super) mod keyed_mutex;
pub(super) mod read_queue;
pub(super) mod write_queue;
