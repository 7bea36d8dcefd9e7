//! An in-memory file system in which a power cut can lose every change that was not synced.
//!
//! The file system records every change. [`Crash`] walks the changes. After each change, it
//! produces images that a power cut at that point can leave. Any subset of the unsynced changes to
//! content and to directory entries may be on the device. A write may be torn at multiples of 512
//! bytes.

mod content;
mod crash;
#[cfg(feature = "sim")]
mod device;
mod event;
mod file;
mod fs;
mod state;

#[cfg(test)]
pub(crate) use crash::{Crash, CrashRandom};
#[cfg(feature = "sim")]
pub use device::Device;
#[cfg(test)]
pub(crate) use event::{DiskChange, DiskImage, digest_of};
#[cfg(test)]
pub(crate) use state::{IoFault, SimFs};
