//! Responses that several handlers share: event streams, held lookups, rendered coordinators.

pub(super) mod large;
pub(super) mod long_poll;
pub(super) mod rendered_coordinators;
pub(super) mod sse;
