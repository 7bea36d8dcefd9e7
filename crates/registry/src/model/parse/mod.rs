//! Parses request bodies as airlift does.

pub(crate) mod announcement;
pub(crate) mod bad_announcement;
pub(crate) mod fields;
mod json_type;
#[cfg(test)]
mod tests;
