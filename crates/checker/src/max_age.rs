//! The guarantee of `discovery.max-age` on which checkers may rely.

/// The guaranteed lifetime of an announcement without a renewal, derived from `discovery.max-age`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxAge {
    least_life_ns: u64,
}

impl MaxAge {
    /// Maximum clock drift, as a divisor: the clocks of the cluster may run faster than the clock
    /// of the test harness by 1/100 (1 %).
    const CLOCK_RATE_SHARE: u64 = 100;

    /// Creates the guarantee for a max-age in nanoseconds.
    #[must_use]
    pub fn from_ns(max_age_ns: u64) -> Self {
        Self {
            least_life_ns: max_age_ns - max_age_ns / Self::CLOCK_RATE_SHARE,
        }
    }

    /// Returns the minimum time, by the clock of the test harness, from the last accepted renewal
    /// of an announcement to a lookup that may omit the announcement. There is no maximum. A late
    /// expiry is always legal, since cluster time stops without a quorum.
    #[must_use]
    pub fn least_life_ns(self) -> u64 {
        self.least_life_ns
    }
}
