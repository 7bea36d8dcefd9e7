//! What the log carries, and what each command came to.

use crate::model::{Announcement, StaticService};
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
/// **Writes of one node.** Each carries `seen`, the applied index of the node that took it, at arrival. It is overtaken,
/// and changes nothing, if the registry accepted another write of that `node_id` after `seen` (an announcement, a
/// renewal, a withdrawal) or expired the node after it. So a write that was held up somewhere, in a stopped process
/// or in the network, never lands on top of a later one that was acknowledged, and never makes a ghost.
///
/// - Commands of one batch are applied in order, each after the one before it: two writes of one node in one batch have
///   the same index, so the second is overtaken. They come from two takers, and whose is first is free.
/// - A taker therefore has one write of a node under way at a time. When that one is decided by the entry at index i, the
///   next has `seen` of at least i: it arrived later, and its taker knows it.
/// - After `Overtaken` the taker may propose the same write with a new `seen` while its client still waits. After
///   `NotHeld` it proposes the announcement with the `seen` that the renewal had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Replace everything that the node announces. If exactly this is held already it is a renewal, whatever `seen` says.
    Announce {
        /// The applied index of the node that took the write, when it arrived.
        seen: u64,
        /// What the node announces.
        announcement: Announcement,
    },
    /// The node has left. For a node that is not held there is nothing to do, and that is done.
    Withdraw {
        /// As in `Announce`.
        seen: u64,
        /// The node.
        node_id: String,
    },
    /// The node sent again what is held of it. It cannot be overtaken: it changes nothing but the deadline of
    /// exactly that announcement.
    Renew {
        /// As in `Announce`; carried for the announcement that may have to follow.
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
}

/// What a command came to; the same on every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done.
    Applied,
    /// Nothing changed: the node was written, or removed, after the write was taken. Take it again with a new `seen`.
    Overtaken,
    /// Nothing changed: the registry does not hold that node with that digest. Propose the whole announcement.
    NotHeld,
    /// Nothing changed: the registry holds as much as it may (`MAX_HELD_BYTES`).
    Full,
    /// A tick was applied, and these nodes are gone, in order of their deadlines. Often none.
    Expired(Vec<String>),
}
