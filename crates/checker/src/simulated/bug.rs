//! Promises that a simulated registry breaks.

/// How many of 100 occasions a bug takes.
pub(super) const BUG_PERCENT: u64 = 12;

/// A promise that the registry breaks now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A change is acknowledged and does not happen.
    LostAck,
    /// A lookup shows an earlier state.
    StaleLookup,
    /// A lookup shows some nodes as they were earlier.
    FracturedLookup,
    /// A node expires after a quarter of max-age.
    EarlyExpiry,
    /// What is gone comes back.
    Resurrection,
    /// A change is refused and happens.
    RefusedApplied,
    /// A change happens again later.
    AppliedTwice,
    /// A change that is overtaken happens all the same, after what overtook it.
    SecondProposal,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::LostAck,
        Self::StaleLookup,
        Self::FracturedLookup,
        Self::EarlyExpiry,
        Self::Resurrection,
        Self::RefusedApplied,
        Self::AppliedTwice,
        Self::SecondProposal,
    ];
}
