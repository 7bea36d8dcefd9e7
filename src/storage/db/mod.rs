//! The database: its schema, and how it is opened, checked, read and written.

pub(super) mod database;
pub(super) mod durable_state;
pub(super) mod schema;
pub(super) mod verify;
