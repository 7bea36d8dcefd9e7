//! Services and their properties, packed.

pub(crate) mod properties;
pub(crate) mod services;
