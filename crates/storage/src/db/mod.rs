//! The database: its schema, and the code that opens, checks, reads and writes it.

pub(super) mod database;
pub(super) mod durable_state;
pub(super) mod schema;
pub(super) mod verify;
