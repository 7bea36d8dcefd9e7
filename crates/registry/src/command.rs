//! What the log carries, and what each command came to.

use crate::model::{Announcement, StaticService};
use crate::order::Arrival;
use serde::{Deserialize, Serialize};

/// One log entry: commands gathered by the proposing leader, applied in order.
///
/// What `apply` needs from the configuration travels here, so that nodes with
/// different settings still hold the same state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// How long an announcement lives without a renewal, in cluster milliseconds.
    pub max_age_ms: u64,
    /// The most that one tick moves cluster time; added to every deadline, so that late is possible and early is not.
    pub step_ms: u64,
    /// The commands.
    pub commands: Vec<Command>,
}

/// One change of the registry.
///
/// **The order of writes of one node.** A write that arrived at any server before another write of
/// the same node began never takes effect after that one was acknowledged. Each write therefore
/// carries what its taker knew when it arrived ([`Arrival`]), and `apply` compares that with the
/// entry in which the registry last accepted a write of the node (an announcement, a renewal or a
/// withdrawal) or expired it. If that entry is not surely older than the arrival, the write is
/// `Overtaken` and changes nothing.
///
/// - The taker never proposes a write with later evidence than that of its arrival. It cannot know
///   whether the write that overtook it ended before this one arrived or began after it, so the
///   client is told to send it again.
/// - After `NotHeld` the announcement follows with the evidence that the renewal had.
/// - Of one entry the registry accepts one write of a node, since the evidence of any is older than
///   the entry. So `previous` names one write, and not two of which the other may have begun later.
/// - A renewal shows nothing in a lookup, nor does a withdrawal of a node that is not held. Both
///   are in this order all the same: a late one would become the last write of its node, and the
///   write behind it in its turn, which may come over it, would come over what it had passed by.
/// - A renewal need not end with `until_ms`, though. If its evidence is newer than its request, all
///   that comes of it is that exactly what is held lives longer, and the writes behind it carry
///   their own.
///
/// Below level 4 commands carry `seen`, one index, and renewals ask for no order. A taker of this
/// release proposes those as it does the others, once and with what it knew to be committed. It
/// refuses more than it would with all of its evidence, until every voter knows level 4; in a new
/// group that is a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Replace everything that the node announces. If exactly this is held already it is a renewal, whatever `seen` says.
    /// From level 4 on, takers propose `OrderedAnnounce`.
    Announce {
        /// The highest index that the node that took the write knew to be committed.
        seen: u64,
        /// What the node announces.
        announcement: Announcement,
    },
    /// The node has left. For a node that is not held there is nothing to do, and that is done.
    /// From level 4 on, takers propose `OrderedWithdraw`.
    Withdraw {
        /// As in `Announce`.
        seen: u64,
        /// The node.
        node_id: String,
    },
    /// The node sent again what is held of it. It cannot be overtaken: it changes nothing but the deadline of
    /// exactly that announcement. From level 4 on, takers propose `OrderedRenew`, which can be.
    Renew {
        /// As in `Announce`. Nothing reads it.
        seen: u64,
        /// The node.
        node_id: String,
        /// The digest of the announcement that it sent (of its parsed form).
        digest: u128,
    },
    /// Add a static service, or replace the one of the same id.
    AddStatic(StaticService),
    /// Remove a static service.
    RemoveStatic {
        /// Its id.
        id: String,
    },
    /// Move cluster time. Proposed by the leader alone, on condition of its own term.
    Tick {
        /// Cluster milliseconds to move; at most the batch's `step_ms` counts, and nothing of it if a grace comes with it.
        advance_ms: u64,
        /// After a gap: cluster time waits for this long, in ticked milliseconds, before it moves on. Two graces do
        /// not add up: the longer of this one and of what is left of the last one counts.
        grace_ms: Option<u64>,
    },
    /// These raft ids were replaced and never come back.
    Retire {
        /// The ids.
        raft_ids: Vec<u64>,
    },
    /// From here on, commands and fields of this level may be used.
    Level(u32),
    /// As `Announce`, with all that the taker knew at the arrival. From level 4 on.
    OrderedAnnounce {
        /// What the taker knew.
        arrival: Arrival,
        /// What the node announces.
        announcement: Announcement,
    },
    /// As `Withdraw`, with all that the taker knew at the arrival. From level 4 on.
    OrderedWithdraw {
        /// What the taker knew.
        arrival: Arrival,
        /// The node.
        node_id: String,
    },
    /// As `Renew`, with all that the taker knew at the arrival. From level 4 on.
    OrderedRenew {
        /// What the taker knew.
        arrival: Arrival,
        /// The node.
        node_id: String,
        /// The digest of the announcement that it sent.
        digest: u128,
    },
}

/// What a command came to; the same on every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done.
    Applied,
    /// Nothing changed: the node was written or removed, and that is not surely older than the
    /// write. The client may send it again.
    Overtaken,
    /// Nothing changed: the registry does not hold that node with that digest. Propose the whole announcement.
    NotHeld,
    /// Nothing changed: the registry holds as much as it may (`MAX_HELD_BYTES`).
    Full,
    /// A tick was applied, and these nodes are gone, in order of their deadlines. Often none.
    Expired(Vec<String>),
    /// Nothing changed: the announcement has more services than one may have, or too long a
    /// location ([`Registry::objection`](crate::Registry::objection)). From level 4 on.
    OverLimit,
}
