//! Queries of the registry.

mod coordinators;
mod growing;
mod lookup;
