//! Queues in which reads and writes wait, and their batching.
//!
//! - `read_queue` collects reads for a ReadIndex round, and `write_queue` collects writes for a
//!   batch.
//! - `batcher` decides how long a round or a batch waits for more requests.
//! - `keyed_mutex` orders the writes of each node id before they enter `write_queue`.
//! - `entry_size` estimates the size of a command in a log entry.

pub(super) mod batcher;
pub(super) mod entry_size;
pub(super) mod keyed_mutex;
pub(super) mod read_queue;
pub(super) mod write_queue;
