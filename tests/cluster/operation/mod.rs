//! Tests of settings, signals, scripts, load and memory.

mod bench;
mod changed_settings;
mod cluster_script;
#[cfg(target_os = "linux")]
pub mod full_registry;
#[cfg(target_os = "linux")]
mod member_reports;
mod memory;
mod metrics;
mod signals;
