//! Queries of the registry.

mod coordinators;
mod lookup;
