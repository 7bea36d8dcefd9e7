//! Bugs of a simulated registry, each of which breaks a promise.

/// Probability, in percent, that a bug takes effect each time that it could.
pub(super) const BUG_PERCENT: u64 = 12;

/// A bug through which the simulated registry breaks a promise now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulatedBug {
    /// A change is acknowledged but does not happen.
    LostAck,
    /// A lookup shows an earlier state.
    StaleLookup,
    /// A lookup shows an earlier state of some nodes.
    FracturedLookup,
    /// A node expires after a quarter of max-age.
    EarlyExpiry,
    /// A removed node reappears.
    Resurrection,
    /// A change is refused but happens.
    RefusedApplied,
    /// A change happens again later.
    AppliedTwice,
    /// An overtaken change still happens, after the change that overtook it.
    SecondProposal,
}

impl SimulatedBug {
    /// All bugs.
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
