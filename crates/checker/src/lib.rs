//! Judges what the clients of a quorate cluster saw, without trust in the cluster, and without a line of its code.
//!
//! | module | what |
//! |---|---|
//! | [`history`] | what was asked and answered, and when, as JSON lines |
//! | [`linearizable`] | the search for an order that explains a history, for any model |
//! | [`model`], [`groups`] | the registry as a model, one (type, pool) at a time: the first layer |
//! | [`log`], [`certificate`] | the order that `Quorate-Index` names, checked over the whole history: the second layer |
//! | [`late_expiry`] | who stays too long in spans without faults |
//! | [`window`] | gaps, times to the first answer, percentiles |
//! | [`simulated`] | random histories of a registry that keeps or breaks its promises, for tests of the checkers |
//!
//! The second layer is fast and exact but begins with the server's indexes; the first never looks at them. A history
//! that passes both was explained twice, by two ways that share nothing but [`history`].
//!
//! Times are nanoseconds of one monotonic clock, the harness's. Nothing here reads a clock: who wants a limit gives
//! a closure that says when to give up, and undecided is a failure.

pub mod certificate;
pub mod groups;
pub mod history;
pub mod late_expiry;
pub mod linearizable;
pub mod lines;
pub mod log;
mod max_age;
pub mod model;
pub mod random;
pub mod simulated;
pub mod window;

#[cfg(test)]
mod tests;

pub use max_age::MaxAge;
