//! The promises of the documentation, proved on real processes: one file a concern.
//!
//! `QUORATE_TEST_KILLS=20 cargo test --test cluster leader:: -- --nocapture` (or `scripts/gap`)
//! repeats the leader kills and prints their figures.

#[path = "../wire/replay.rs"]
mod replay;
#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod addresses;
mod bad_files;
mod bad_places;
mod bench;
mod changed_settings;
mod cluster_script;
mod cold_start;
mod coordinators;
mod deaf_leader;
mod emptied_node;
mod expiry;
#[cfg(target_os = "linux")]
mod failing_disk;
mod freeze;
mod fresh_reads;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod full_registry;
mod held_lookups;
#[cfg(target_os = "linux")]
mod histories;
#[cfg(target_os = "linux")]
mod hostile_clients;
mod idle_clients;
mod lagging_node;
mod large_announcements;
mod large_lookups;
mod leader;
#[cfg(target_os = "linux")]
mod log_paths;
mod memory;
#[cfg(target_os = "linux")]
mod names;
mod newcomers;
mod no_quorum;
mod own_address;
#[cfg(target_os = "linux")]
mod paused_guest;
#[cfg(target_os = "linux")]
mod peer_messages;
mod rival_writers;
mod signals;
mod silent_links;
#[cfg(target_os = "linux")]
mod slow_clock;
#[cfg(target_os = "linux")]
mod soak;
mod stalled_readers;
mod strangers;
mod two_nodes;
mod two_takers;
mod unknown_writes;
mod watches;
mod whole_cluster_kill;
mod wire;
