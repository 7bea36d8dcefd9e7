//! Who follows lookups, and what has changed of late.

pub(super) mod history;
pub(super) mod hub;
