//! What is known of a peer.

use crate::clock::Instant;
use crate::storage::types::LogId;

/// What this process has seen of one raft id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) last_answer: Option<Instant>,
    /// When it last asked this node something.
    pub(crate) last_request: Option<Instant>,
    /// How many entries it was behind this node, or ahead of it (negative), when it last told.
    pub(crate) behind: i64,
    /// When it last took a piece of a snapshot from this node.
    pub(crate) last_piece: Option<Instant>,
    /// Whether its disk is below the floor.
    pub(crate) disk_low: bool,
    /// The highest level of commands that it said it knows; 0 before it said so.
    pub(crate) level: u32,
    /// Why it last refused this node, until it answers.
    pub(crate) refusal: Option<String>,
    /// When this node last complained of what it sent.
    pub(crate) complained: Option<Instant>,
    /// The highest index that an append to it carried, whether or not it has answered.
    pub(crate) sent: u64,
    /// How many pulses beyond that are on their way to it, and when the last one left.
    pub(crate) being_told: usize,
    pub(crate) told_at: Option<Instant>,
    /// The process that spoke last.
    pub(crate) process: Option<u64>,
    /// The highest log id that it acknowledged to this process.
    pub(crate) acknowledged: Option<LogId>,
}
