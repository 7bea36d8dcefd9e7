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
pub mod model;
pub mod random;
pub mod simulated;
pub mod window;

#[cfg(test)]
mod tests;

/// How long an announcement lives without a renewal, `discovery.max-age`, as checkers may rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxAge {
    least_life_ns: u64,
}

impl MaxAge {
    /// Clocks of the cluster may run faster than the harness's by this share of the whole: 1 %.
    const CLOCK_RATE_SHARE: u64 = 100;

    /// Of a max-age in nanoseconds.
    #[must_use]
    pub fn from_ns(max_age_ns: u64) -> Self {
        Self {
            least_life_ns: max_age_ns - max_age_ns / Self::CLOCK_RATE_SHARE,
        }
    }

    /// What must at least have passed, on the harness's clock, since the last accepted renewal before anybody may miss an
    /// announcement. There is no upper bound: cluster time stands still without a quorum, so late is always legal.
    #[must_use]
    pub fn least_life_ns(self) -> u64 {
        self.least_life_ns
    }
}
