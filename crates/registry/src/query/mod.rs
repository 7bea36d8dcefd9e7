//! What can be asked of the registry.

mod coordinators;
mod lookup;
