//! The write-ahead log (WAL) in front of the database for the most recently appended entries.

pub(super) mod file;
pub(super) mod frame;
pub(super) mod pending;
pub(super) mod recovery;
