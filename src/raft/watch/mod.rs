//! Recent changes and the clients that follow them.

pub(super) mod history;
pub(super) mod hub;
