//! Planted bugs that the tests must find. In a build with the feature `planted`, the environment
//! variable `QUORATE_PLANTED` names the bug that is active.
//!
//! Without the feature, as in every release, no bug is planted and none of this code is in the
//! program. `scripts/planted` plants each bug, and states which test must find it, and within which
//! time.

/// A bug that systems of this kind have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// An entry is acknowledged before it is synced.
    EntryUnsynced,
    /// A vote is sent before it is synced.
    VoteUnsynced,
    /// The directory is not synced after a snapshot's file was renamed.
    NameUnsynced,
    /// A lookup is served without asking the leader.
    LocalRead,
    /// A read uses the index of a ReadIndex round that began before the read arrived.
    ReadIndexReused,
    /// The leader confirms reads by its lease, and therefore by its clock.
    LeaseRead,
    /// A leader and one follower count as a majority, regardless of the number of voters.
    VouchedByTwo,
    /// A write that may have been applied is proposed again.
    Reproposed,
    /// A superseded write is proposed again, with the index of the write that superseded it.
    SecondProposal,
    /// An announcement expires at its old deadline, although a renewal has moved it.
    OldDeadline,
    /// Announcements age by the leader's wall clock.
    WallClockAge,
    /// No grace period follows an outage. Announcements expire as if clients could have renewed
    /// them during the outage.
    NoGrace,
    /// A damaged log is truncated instead of refused.
    DamageTruncates,
    /// A node whose data was deleted votes under its old identity.
    EmptyNodeVotes,
    /// A failed write is ignored.
    WriteErrorIgnored,
    /// A failed sync is retried, and success of the retry is trusted.
    SyncRetried,
    /// Only some of an announcement's services are added.
    PartialApply,
    /// A snapshot does not restore the static services.
    NoStaticsInSnapshot,
    /// A peer may show any key.
    AnyCertificateIsPeer,
    /// A peer may show a certificate of another host.
    PeerHostUnchecked,
    /// Peers that connect in plain text are accepted, although a proof is required.
    PermissiveForever,
    /// The debug output of a secret contains the secret.
    SecretInLog,
    /// The shortcuts past the router are taken before the client is checked.
    FastWayUnchecked,
    /// Clients are checked only on the listener for HTTPS.
    PlainListenerUnchecked,
    /// An engine's token is accepted for every node id.
    SubjectUnchecked,
    /// A token whose header names no algorithm needs no signature.
    AlgNone,
    /// Only the first of several secrets is accepted from engines.
    FirstSecretOnly,
    /// A token never expires.
    ExpiryIgnored,
    /// A client is at the address that a header names.
    ForwardedForTrusted,
    /// A session is resumed although the trusted certificates have changed.
    TicketOutlivesTrust,
    /// Any number of TLS handshakes computes at the same time.
    UnlimitedHandshakes,
    /// A handshake keeps its turn while it waits for the client.
    PermitHeldWhileWaiting,
}

/// Returns whether this build has the bug. Without the feature `planted`, no build has a planted
/// bug.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn is_planted(_: Bug) -> bool {
    false
}

/// Returns whether the bug is active in this run, which is the case if `QUORATE_PLANTED` names it.
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
