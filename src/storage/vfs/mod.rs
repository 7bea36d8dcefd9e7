//! The seam between the store and the file system.
//!
//! Everything under a data directory goes through [`Vfs`], so that a test can lose, tear
//! and fail every operation and rebuild every image that a power cut can leave. The
//! dangerous faults are between files (a snapshot and the purge that relies on it), so
//! one seam sees them all.

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
pub use interface::{FsSpace, Held, Vfs, VfsFile};
pub use os::OsFs;
