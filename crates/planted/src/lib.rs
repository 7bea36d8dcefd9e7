//! Errors that the tests must find, each planted alone: in a build with the feature `planted`, `QUORATE_PLANTED` names one.
//!
//! Without the feature, as in every release, nothing is planted and nothing of this is in the program. `scripts/planted`
//! plants each, and says by which test and within which time it must be found.

/// An error that systems of this kind have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// An entry is acknowledged before it is synced.
    EntryUnsynced,
    /// A vote is told before it is synced.
    VoteUnsynced,
    /// A snapshot's name is not synced.
    NameUnsynced,
    /// A lookup is answered without asking the leader.
    LocalRead,
    /// A read takes the index of a round that began before it came.
    ReadIndexReused,
    /// The leader confirms reads by its lease, and so by its clock.
    LeaseRead,
    /// A leader and one follower are taken for a majority, however many voters there are.
    VouchedByTwo,
    /// A write that may have been applied is proposed again.
    Reproposed,
    /// A write that was overtaken is proposed again with the index that overtook it.
    SecondProposal,
    /// An announcement expires by a deadline that a renewal has moved.
    OldDeadline,
    /// Announcements age by the leader's wall clock.
    WallClockAge,
    /// Ages go on after an outage as if clients could have renewed.
    NoGrace,
    /// A damaged log is cut off, and not refused.
    DamageTruncates,
    /// An emptied node votes as its old self.
    EmptyNodeVotes,
    /// A failed write is ignored.
    WriteErrorIgnored,
    /// A failed sync is tried again, and then believed.
    SyncRetried,
    /// Of an announcement's services not all come in.
    PartialApply,
    /// A snapshot does not bring the static services.
    NoStaticsInSnapshot,
}

/// Whether this build has that error.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn is_planted(_: Bug) -> bool {
    false
}

/// As above.
#[cfg(feature = "planted")]
pub fn is_planted(bug: Bug) -> bool {
    static PLANTED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "not in any release, and in all kinds of tests"
    )]
    let named = PLANTED.get_or_init(|| std::env::var("QUORATE_PLANTED").unwrap_or_default());
    *named == format!("{bug:?}")
}
