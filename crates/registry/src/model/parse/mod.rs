//! Parses request bodies as airlift does.

pub(crate) mod announcement;
pub(crate) mod bad_announcement;
pub(crate) mod fields;
#[cfg(test)]
mod tests;
