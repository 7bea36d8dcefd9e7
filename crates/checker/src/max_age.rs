//! `discovery.max-age`, as checkers may rely on it.

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
