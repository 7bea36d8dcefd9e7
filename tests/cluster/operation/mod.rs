//! Tests of settings, signals, scripts, load and memory.

mod bench;
mod changed_settings;
mod cluster_script;
#[cfg(target_os = "linux")]
pub mod full_registry;
mod memory;
mod metrics;
mod signals;
