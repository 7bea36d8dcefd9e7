//! What clients send, as airlift reads it.

pub(crate) mod announcement;
pub(crate) mod bad_announcement;
pub(crate) mod fields;
#[cfg(test)]
mod tests;
