//! What is known of a peer.

use crate::clock::Instant;
use crate::storage::types::LogId;

/// What this process has seen of one raft id.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) last_answer: Option<Instant>,
    /// When it last asked this node something.
    pub(super) last_request: Option<Instant>,
    /// How many entries it was behind this node, or ahead of it (negative), when it last told.
    pub(super) behind: i64,
    /// When it last took a piece of a snapshot from this node.
    pub(super) last_piece: Option<Instant>,
    /// Whether its disk is below the floor.
    pub(super) disk_low: bool,
    /// The highest level of commands that it said it knows; 0 before it said so.
    pub(super) level: u32,
    /// Why it last refused this node, until it answers.
    pub(super) refusal: Option<String>,
    /// When this node last complained of what it sent.
    pub(super) complained: Option<Instant>,
    /// The highest index that an append to it carried, whether or not it has answered.
    pub(super) sent: u64,
    /// How many pulses beyond that are on their way to it, and when the last one left.
    pub(super) being_told: usize,
    pub(super) told_at: Option<Instant>,
    /// The process that spoke last.
    pub(super) process: Option<u64>,
    /// The highest log id that it acknowledged to this process.
    pub(super) acknowledged: Option<LogId>,
}
