//! A compact encoding of services and their properties.

pub(crate) mod properties;
pub(crate) mod services;
