//! The commands that ask a running cluster: one file each.

pub mod cluster;
