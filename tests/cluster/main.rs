//! The promises of the documentation, proved on real processes. Each file is about one concern.
//!
//! `QUORATE_TEST_KILLS=20 cargo test --test cluster leader:: -- --nocapture` (or `scripts/gap`)
//! repeats the leader kills and prints their figures.

#[path = "../wire/replay.rs"]
mod replay;
#[path = "../support/mod.rs"]
mod support;

mod clients;
mod consistency;
mod faults;
mod files;
mod membership;
mod operation;
mod security;
#[cfg(target_os = "linux")]
mod soak;
