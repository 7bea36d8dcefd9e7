//! A file system in memory that forgets what was not synced.
//!
//! It journals every change. [`Crash`] walks the journal and gives, after each change, images that
//! a power cut there can leave: of the changes that no sync covers (of content and of directory
//! entries alike) any may be there or not, and a write may be torn at 512 bytes.

mod content;
mod crash;
#[cfg(feature = "sim")]
mod device;
mod event;
mod file;
mod fs;
mod state;

#[cfg(test)]
pub(crate) use crash::{Crash, Random};
#[cfg(feature = "sim")]
pub use device::Device;
#[cfg(test)]
pub(crate) use event::{Event, Image, digest_of};
#[cfg(test)]
pub(crate) use state::{Fault, SimFs};
