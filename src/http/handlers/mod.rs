//! The handlers, one file for each resource.

pub(super) mod announcement;
pub(super) mod cluster;
pub(super) mod coordinator;
pub(super) mod metrics;
pub(super) mod redirect;
pub(super) mod service;
pub(super) mod service_inventory;
pub(super) mod static_announcement;
pub(super) mod targets;
pub(super) mod watch;

pub use service::QUORATE_CONSISTENCY;
