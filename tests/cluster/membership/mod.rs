//! Joining, leaving and being replaced, and who may speak to the group.

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
