//! The known state of a peer.

use crate::clock::Instant;
use crate::storage::types::LogId;

/// The observations of this process about one raft id.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerState {
    /// The time of the peer's last answer to this node.
    pub(crate) last_answer: Option<Instant>,
    /// The time of the peer's last request to this node.
    pub(crate) last_request: Option<Instant>,
    /// The number of entries that the peer was behind this node, or ahead of it (negative), at its
    /// last report.
    pub(crate) behind: i64,
    /// The time at which the peer last took a piece of a snapshot from this node.
    pub(crate) last_piece: Option<Instant>,
    /// Whether the free space of the peer's disk is below the floor (`monitor/disk_space.rs`).
    pub(crate) disk_low: bool,
    /// The highest feature level of commands that the peer reported; 0 before its first report.
    pub(crate) level: u32,
    /// Whether the peer gave no proof when this node last dialed it, although this node can give
    /// one ([`crate::raft::PeerSecurity`]).
    pub(crate) is_plain: bool,
    /// The reason why the peer last refused this node, until it answers again.
    pub(crate) rejection: Option<String>,
    /// The time at which this node last logged that a message of the peer was invalid.
    pub(crate) complained: Option<Instant>,
    /// The highest index that an append to the peer carried, even if the peer has not answered.
    pub(crate) sent: u64,
    /// The number of status messages in flight to the peer that report an index above `sent`. The
    /// last one was sent at `notified_at`.
    pub(crate) notices_in_flight: usize,
    pub(crate) notified_at: Option<Instant>,
    /// The random number of the peer's process, from the peer's last hello or last reply to a
    /// hello.
    pub(crate) process: Option<u64>,
    /// The highest log id that the peer acknowledged to this process.
    pub(crate) acknowledged: Option<LogId>,
}
