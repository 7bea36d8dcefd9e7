//! The queues that reads and writes wait in.

pub(super) mod batcher;
pub(super) mod entry_size;
pub(super) mod keyed_mutex;
pub(super) mod read_queue;
pub(super) mod write_queue;
