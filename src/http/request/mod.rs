//! Requests: their paths, queries, headers and bodies, as the handlers read them.

pub(super) mod airlift_compat;
pub(super) mod body;
pub(super) mod body_budget;
pub(super) mod body_cache;
pub(super) mod content_negotiation;
pub(super) mod etag;
pub(super) mod host;
pub(super) mod query;
