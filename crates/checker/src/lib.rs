//! Checkers that judge the observations of the clients of a quorate cluster.
//!
//! The checkers do not trust the cluster, and share no code with it. Promises a to f are those of
//! docs/PROMISES.md.
//!
//! | module | contents |
//! |---|---|
//! | [`history`] | requests, answers and their times, as JSON lines |
//! | [`linearizable`] | the search for an order that explains a history, for any model |
//! | [`model`], [`groups`] | the first layer: the registry as a model, by type and pool |
//! | [`log`], [`certificate`] | the second layer: the history in the order of `Quorate-Index` |
//! | [`late_expiry`] | nodes that stay registered too long, in spans without faults |
//! | [`window`] | gaps, times to the first answer, percentiles |
//! | [`simulated`] | random histories, correct and broken, for tests of the checkers |
//!
//! The second layer is fast and exact, but relies on the server's indexes as a first guess. The
//! first layer never reads these indexes. A history that passes both layers is therefore explained
//! twice, by two methods that share nothing but [`history`].
//!
//! Times are nanoseconds of one monotonic clock, the clock of the test harness. Nothing in this
//! crate reads a clock. A caller that needs a time limit passes a closure that decides when to give
//! up. An undecided history counts as a failure.

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
