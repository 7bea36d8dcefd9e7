//! Recent changes and the clients that follow them: `history` keeps the changes and wakes their
//! subscribers, and `hub` gives each client a [`Watcher`](hub::Watcher).

pub(super) mod history;
pub(super) mod hub;
