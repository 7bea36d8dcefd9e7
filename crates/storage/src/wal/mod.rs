//! The journal, a write-ahead log in front of the database for the most recently appended entries.

pub(super) mod file;
pub(super) mod frame;
pub(super) mod pending;
pub(super) mod recovery;
