//! Tests of the HTTP interface with applications, engines, and hostile clients.

mod coordinators;
mod held_lookups;
#[cfg(target_os = "linux")]
mod hostile_clients;
mod idle_clients;
mod stalled_readers;
mod watches;
mod wire;
