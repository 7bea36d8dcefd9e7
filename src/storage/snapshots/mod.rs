//! The snapshots of the registry, each in a file.

pub(super) mod directory;
pub(super) mod file;
