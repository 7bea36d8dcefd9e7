//! Commands in the log, and their outcomes.

use crate::model::{Announcement, StaticService};
use crate::order::Arrival;
use serde::{Deserialize, Serialize};

/// One log entry: commands batched by the proposing leader, applied in order.
///
/// The configuration that `apply` needs is part of the entry, so that nodes with different settings
/// have the same state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Lifetime of an announcement without a renewal, in cluster milliseconds.
    pub max_age_ms: u64,
    /// Maximum advance of cluster time by one tick. It is added to every deadline, so that an
    /// expiry may be late but never early.
    pub step_ms: u64,
    /// The commands.
    pub commands: Vec<Command>,
}

/// One change of the registry.
///
/// **The order of writes of one node.** A write that arrived at any server before another write of
/// the same node began never takes effect after that other write was acknowledged. Each write
/// therefore carries the knowledge of the node that received it, as of its arrival ([`Arrival`]).
/// `apply` compares it with the index of the entry in which the registry last accepted a write of
/// the node (an announcement, a renewal or a withdrawal) or expired it. Unless that entry is
/// certainly older than the arrival, the write is `Superseded` and changes nothing.
///
/// - The receiving node never proposes a write with later evidence than that of its arrival. It
///   cannot know whether the write that overtook this one ended before this one arrived or began
///   after it, so the client is asked to retry.
/// - After `NotRegistered`, the announcement is proposed with the evidence of the renewal.
/// - From one entry the registry accepts at most one write of a node, since the evidence of each is
///   older than the entry. `previous` therefore identifies a single write, not two of which one may
///   have begun later.
/// - A renewal changes nothing in a lookup, nor does a withdrawal of a node that is not registered.
///   Both are subject to this order nevertheless: a late one would become the last write of its
///   node. The next write in the receiving node's queue, which may replace it, would then also
///   replace the writes that the late one had bypassed.
/// - A renewal need not be bounded by `until_ms`, however. If its evidence is newer than its
///   request, the only effect is that exactly the stored announcement lives longer, and the writes
///   behind it carry their own evidence.
///
/// Below level 4, commands carry `seen`, a single index, and renewals are not ordered. A node of
/// this release proposes such commands like the others: once, and with the index that it knew to be
/// committed. It refuses more writes than it would with all of its evidence, until every voter
/// knows level 4; in a new group this takes a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Replaces everything that the node announces. If exactly this announcement is stored, the
    /// command is a renewal, regardless of `seen`. From level 4 on, `OrderedAnnounce` is proposed
    /// instead.
    Announce {
        /// The highest index that the node that received the write knew to be committed.
        seen: u64,
        /// The announcement.
        announcement: Announcement,
    },
    /// Removes the node, which has left. Succeeds without effect if the node is not registered.
    /// From level 4 on, `OrderedWithdraw` is proposed instead.
    Withdraw {
        /// The same as in `Announce`.
        seen: u64,
        /// The node.
        node_id: String,
    },
    /// Renews a node that sent its stored announcement again. It cannot be superseded: it changes
    /// only the deadline of exactly that announcement. From level 4 on, `OrderedRenew` is proposed
    /// instead, which can be superseded.
    Renew {
        /// The same as in `Announce`. It is not read.
        seen: u64,
        /// The node.
        node_id: String,
        /// The digest of the announcement that it sent (of its parsed form).
        digest: u128,
    },
    /// Adds a static service, or replaces the one with the same id.
    AddStatic(StaticService),
    /// Removes a static service.
    RemoveStatic {
        /// Its id.
        id: String,
    },
    /// Advances cluster time. Proposed only by the leader, conditional on its own term.
    Tick {
        /// Advance in cluster milliseconds, limited by the batch's `step_ms`. It does not advance
        /// cluster time if there is a grace.
        advance_ms: u64,
        /// After a gap: time for which cluster time stops, in ticked milliseconds. Two graces do
        /// not add up: the longer of this one and the rest of the previous one applies.
        grace_ms: Option<u64>,
    },
    /// Retires these raft ids, which were replaced and never return.
    Retire {
        /// The ids.
        raft_ids: Vec<u64>,
    },
    /// Allows commands and fields of this level from here on.
    Level(u32),
    /// Same as `Announce`, with everything that the receiving node knew on arrival. From level 4
    /// on.
    OrderedAnnounce {
        /// The knowledge of the receiving node.
        arrival: Arrival,
        /// The announcement.
        announcement: Announcement,
    },
    /// Same as `Withdraw`, with everything that the receiving node knew on arrival. From level 4
    /// on.
    OrderedWithdraw {
        /// The knowledge of the receiving node.
        arrival: Arrival,
        /// The node.
        node_id: String,
    },
    /// Same as `Renew`, with everything that the receiving node knew on arrival. From level 4 on.
    OrderedRenew {
        /// The knowledge of the receiving node.
        arrival: Arrival,
        /// The node.
        node_id: String,
        /// The digest of the announcement that it sent.
        digest: u128,
    },
}

/// The outcome of a command; the same on every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The command was applied.
    Applied,
    /// Nothing changed: the node was written or removed by an entry that is not certainly older
    /// than this write. The client may retry.
    Superseded,
    /// Nothing changed: the registry has no such node with that digest. Propose the whole
    /// announcement.
    NotRegistered,
    /// Nothing changed: the registry is full (`MAX_HELD_BYTES`).
    CapacityExceeded,
    /// A tick was applied, and these nodes expired, in the order of their deadlines. Often empty.
    Expired(Vec<String>),
    /// Nothing changed: the announcement has too many services or too long a location
    /// ([`Registry::objection`](crate::Registry::objection)). From level 4 on.
    OverLimit,
}
