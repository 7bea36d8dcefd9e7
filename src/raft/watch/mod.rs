//! Recent changes, and the clients that follow them. `history` keeps the changes and wakes the
//! subscribers. `hub` gives each client a [`Watcher`](hub::Watcher).

pub(super) mod history;
pub(super) mod hub;
