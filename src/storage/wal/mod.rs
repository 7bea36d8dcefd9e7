//! The journal before the database, for the entries that were appended last.

pub(super) mod file;
pub(super) mod frame;
pub(super) mod pending;
pub(super) mod recovery;
