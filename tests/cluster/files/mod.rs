//! Tests of configuration, data and log files, and of the disks below them.

mod bad_files;
mod bad_places;
#[cfg(target_os = "linux")]
mod failing_disk;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod log_paths;
