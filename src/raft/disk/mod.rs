//! What a node keeps on disk: its log, vote, identity and snapshots.
//!
//! Log, vote, committed and purged ids and identity are in one `redb` database that one thread
//! writes, with a journal before it for what was appended last; a snapshot is a file beside it.
//! Everything goes through [`Vfs`]. The rules:
//!
//! - The vote, the entries and their order are openraft's contract: entries are readable when
//!   `append` returns, durable when its callback runs, and everything is written in order.
//! - A snapshot is durable before the purge that relies on it is queued.
//! - The first failed operation is latched; nothing is acknowledged after it, and nothing tried again.
//! - What cannot be trusted is not opened.

mod bounds;
mod check;
mod database;
mod errors;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod growth;
mod guarded;
mod identity;
mod journal;
mod journaled;
mod latch;
mod layout;
mod log_store;
mod log_target;
mod on_disk;
mod op;
mod open;
mod os_fs;
mod record;
mod recovered_state;
mod replay;
mod schema;
mod shared;
#[cfg(any(test, feature = "sim"))]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "the rest is for this module's own tests")
)]
mod sim;
mod snapshot_file;
mod snapshots;
mod space;
mod store;
mod vfs;
mod view;
mod work;
mod writer;

pub use errors::OpenError;
pub use growth::LogGrowth;
pub use identity::{GroupIdentity, Identity};
pub use log_store::LogStore;
pub(super) use record::check_members;
#[cfg(feature = "sim")]
pub use sim::Device;
#[cfg(test)]
pub(super) use sim::SimFs;
pub(super) use snapshot_file::{SNAPSHOT_BYTES_MAX, check_snapshot_meta};
pub use snapshots::Snapshots;
pub use space::SpaceState;
pub use store::Store;
pub use vfs::{FsSpace, Held, OsFs, Vfs, VfsFile};
pub use work::{Pace, Work};

#[cfg(test)]
mod tests;
