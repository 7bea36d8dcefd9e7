//! Tests of joining, leaving and replacement, and of access to the peer port.

#[cfg(target_os = "linux")]
mod addresses;
mod cold_start;
mod emptied_node;
mod lagging_node;
#[cfg(target_os = "linux")]
mod names;
mod newcomers;
mod own_address;
#[cfg(target_os = "linux")]
mod peer_messages;
mod strangers;
