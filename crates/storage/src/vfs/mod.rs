//! The interface between the store and the file system.
//!
//! All access to a data directory goes through [`Vfs`]. A test can therefore lose, tear and fail
//! every operation. It can also reconstruct every image that a power cut can leave. The dangerous
//! faults involve several files (a snapshot and the purge that relies on it), so a single interface
//! covers all of them.

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
