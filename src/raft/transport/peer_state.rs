//! The known state of a peer.

use super::identity::IdentityMismatch;
use super::messages::{MemberFacts, PeerIdentity};
use crate::clock::{self, Instant};
use crate::planted::{Bug, is_planted};
use crate::storage::types::LogId;
use openraft::vote::RaftLeaderId;
use std::time::Duration;

/// The observations of this process about one raft id.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerState {
    /// The time of the peer's last answer to this node.
    pub(crate) last_answer: Option<Instant>,
    /// The time of the peer's last request to this node.
    pub(crate) last_request: Option<Instant>,
    /// The number of entries by which the peer was behind this node at the peer's last report;
    /// negative if the peer was ahead.
    pub(crate) behind: i64,
    /// The time at which the peer last took a piece of a snapshot from this node.
    pub(crate) last_piece: Option<Instant>,
    /// Whether the free space of the peer's disk is below the floor (`monitor/disk_space.rs`).
    pub(crate) disk_low: bool,
    /// The highest feature level of commands that the peer reported; 0 before its first report.
    pub(crate) level: u32,
    /// The facts that the peer last reported about itself. Absent before its first report, and if
    /// it runs a release that reports none.
    pub(crate) facts: Option<ReportedFacts>,
    /// Whether peers have keys to prove their identity ([`crate::raft::PeerSecurity`]), but this
    /// peer gave no proof on its last new connection.
    pub(crate) is_plain: bool,
    /// The time of the peer's last message on a connection that is not plain.
    pub(crate) proved_at: Option<Instant>,
    /// The reason why the peer last refused this node, until it answers again.
    pub(crate) rejection: Option<String>,
    /// The time at which this node last logged that a message of the peer was invalid.
    pub(crate) complained: Option<Instant>,
    /// The highest index that an append to the peer carried, even if the peer has not answered.
    pub(crate) sent: u64,
    /// The number of status messages in flight to the peer. Each was sent because its index was
    /// above `sent`. The last one was sent at `notified_at`.
    pub(crate) notices_in_flight: usize,
    pub(crate) notified_at: Option<Instant>,
    /// The random number of the peer's process, from the peer's last hello or last reply to a
    /// hello.
    pub(crate) process: Option<u64>,
    /// The highest log id that the peer acknowledged to this process.
    pub(crate) acknowledged: Option<LogId>,
}

/// The facts that a peer reported about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportedFacts {
    pub(crate) facts: MemberFacts,
    /// The time at which they arrived.
    pub(crate) at: Instant,
    /// The number of milliseconds by which the peer's wall clock was ahead of the one of this node;
    /// negative if it was behind. Absent if the answer took too long for a comparison.
    pub(crate) clock_ahead_ms: Option<i64>,
}

/// Time for which plain connections in a member's name are refused after that member's last message
/// on a connection with a proof. After this time, the other members accept the member without a
/// proof. An operator can therefore go back from `permissive` to `off`.
const PROVED_FOR: Duration = Duration::from_secs(30);

/// The change between plain and proven, if any, from a peer's last connection to its new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Introduced {
    /// The peer is plain or proven as before.
    AsBefore,
    /// The peer proved nothing about itself, for the first time or after a proof.
    NewlyPlain,
    /// The peer proved that it has the shared secret, after it was plain.
    NewlyProved,
}

impl PeerState {
    /// Returns whether the peer has recently proved that it has the shared secret.
    pub(crate) fn has_proved(&self) -> bool {
        self.proved_at
            .is_some_and(|at| clock::now().duration_since(at) < PROVED_FOR)
    }

    /// Checks the peer on a new connection. With `is_plain`, the peer has given no proof, although
    /// peers of this group can give one. Nothing that such a peer says is recorded.
    ///
    /// # Errors
    /// When the peer is plain now but gave a proof recently, or when its log at the start of its
    /// process was shorter than the log that the peer acknowledged before.
    pub(crate) fn introduce(
        &mut self,
        from: &PeerIdentity,
        is_plain: bool,
    ) -> Result<Introduced, IdentityMismatch> {
        if is_plain && self.has_proved() {
            return Err(IdentityMismatch::PlainAfterProof(from.name.node_id.clone()));
        }
        if self.is_contradicted_by(from) && !is_planted(Bug::EmptyNodeVotes) {
            return Err(IdentityMismatch::RestoredFromCopy(from.name.clone()));
        }
        let was_plain = std::mem::replace(&mut self.is_plain, is_plain);
        if is_plain {
            self.proved_at = None;
        } else {
            self.process = Some(from.process);
            self.proved_at = Some(clock::now());
        }
        Ok(match (was_plain, is_plain) {
            (true, false) => Introduced::NewlyProved,
            (false, true) => Introduced::NewlyPlain,
            _ => Introduced::AsBefore,
        })
    }

    /// Returns whether a hello shows less of the log than the peer acknowledged. In this case the
    /// peer's disk was restored from a copy, or a second process runs on a copy
    /// (docs/decisions/0002). A process that sent a hello before is not checked again.
    fn is_contradicted_by(&self, from: &PeerIdentity) -> bool {
        let is_new = self.process.is_none_or(|process| process != from.process);
        // A newer leader may have truncated the peer's log legitimately. In that case the peer's
        // vote has a newer term than the acknowledged entry.
        let cut_back = self
            .acknowledged
            .is_some_and(|acknowledged| from.vote_term > acknowledged.committed_leader_id().term());
        is_new && !cut_back && from.last_log_id < self.acknowledged
    }
}
