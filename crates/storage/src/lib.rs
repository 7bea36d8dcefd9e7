//! The persistent storage of a node: its Raft log, vote, identity and snapshots.
//!
//! The log, the vote, the committed and purged log ids and the identity are in one `redb` database.
//! A single thread writes to the database. In front of the database is a write-ahead log (WAL) for
//! the most recently appended entries. A snapshot is a separate file in the same directory. All
//! file access goes through [`Vfs`]. The rules:
//!
//! - The vote and the log follow openraft's contract. Entries are readable when `append` returns,
//!   and durable when the callback runs. Everything is written in order.
//! - A snapshot is durable before the purge of the log up to the snapshot is queued.
//! - The first failed operation is recorded. After a failure nothing is acknowledged, nothing is
//!   retried, and the process ends.
//! - A directory whose content cannot be trusted is not opened.

mod blocking;
mod codec;
mod db;
mod error;
mod fail_stop;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod identity;
mod layout;
mod log;
mod log_store;
mod log_target;
mod open;
mod request;
pub mod rng;
mod snapshots;
mod space;
mod store;
#[cfg(test)]
mod tests;
pub mod types;
mod vfs;
mod wal;
mod writer;

pub use blocking::{BlockingExecutor, SimDisk};
pub use codec::check_members;
pub use error::{BadMembership, Damage, OpenError};
pub use identity::{GroupIdentity, Identity};
pub use layout::{DATABASE, JOURNAL};
pub use log::size_index::LogSizeIndex;
pub use log_store::LogStore;
pub use snapshots::directory::Snapshots;
pub use snapshots::file::{SNAPSHOT_BYTES_MAX, check_snapshot_meta};
pub use space::SpaceState;
pub use store::Store;
#[cfg(feature = "sim")]
pub use vfs::sim::Device;
pub use vfs::{FileLock, FsSpace, OsFs, Vfs, VfsFile};
