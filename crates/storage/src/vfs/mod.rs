//! The interface between the store and the file system.
//!
//! All access to a data directory goes through [`Vfs`]. A test can therefore lose, tear and fail
//! every operation, and reconstruct every image that a power cut can leave. All files share one
//! interface, because the dangerous faults involve several files, such as a snapshot and the log
//! that is purged for the snapshot.

pub(super) mod fail_stop_file;
mod interface;
mod os;
#[cfg(any(test, feature = "sim"))]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "the rest is for this module's own tests")
)]
pub(super) mod sim;

pub(super) use interface::parent_of;
pub use interface::{FileLock, FsSpace, Vfs, VfsFile};
pub use os::OsFs;
