//! The service inventory: who the discovery nodes are, in airlift's own file format.

pub(crate) mod entries;
pub(crate) mod limits;
mod parse;
pub(crate) mod problem;
#[cfg(test)]
mod tests;
