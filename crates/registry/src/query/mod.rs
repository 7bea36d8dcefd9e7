//! What can be asked of the registry.

mod coordinators;
mod growing;
mod lookup;
