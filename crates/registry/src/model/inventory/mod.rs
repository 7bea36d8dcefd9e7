//! The service inventory: who the discovery nodes are, in airlift's own file format.

pub(crate) mod entries;
#[cfg(test)]
mod tests;
