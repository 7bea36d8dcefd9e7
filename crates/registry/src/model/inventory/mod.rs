//! The service inventory: the list of discovery nodes, in airlift's own file format.

pub(crate) mod entries;
pub(crate) mod limits;
mod parse;
pub(crate) mod problem;
#[cfg(test)]
mod tests;
