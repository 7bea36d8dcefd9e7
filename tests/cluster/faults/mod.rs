//! Tests of crashes, pauses, lost links and wrong clocks.

mod deaf_leader;
mod freeze;
#[cfg(target_os = "linux")]
mod histories;
mod leader;
mod no_quorum;
#[cfg(target_os = "linux")]
mod paused_guest;
mod silent_links;
#[cfg(target_os = "linux")]
mod slow_clock;
mod two_nodes;
mod whole_cluster_kill;
