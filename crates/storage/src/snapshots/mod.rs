//! The snapshots of the registry, each in a separate file.

pub(super) mod directory;
pub(super) mod file;
