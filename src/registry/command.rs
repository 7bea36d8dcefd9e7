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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Replace everything that the node announces.
    Announce {
        /// The applied index of the node that took the write, when it arrived.
        seen: u64,
        /// What the node announces.
        announcement: Announcement,
    },
    /// The node has left.
    Withdraw {
        /// As in `Announce`.
        seen: u64,
        /// The node.
        node_id: String,
    },
    /// The node sent again what is held of it.
    Renew {
        /// As in `Announce`.
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
        /// Cluster milliseconds to move; at most the batch's `step_ms` counts.
        advance_ms: u64,
        /// After a gap: cluster time waits for this long, in ticked milliseconds, before it moves on.
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
    /// Nothing changed: the node's announcement changed after the write was taken. Take it again with a new `seen`.
    Overtaken,
    /// Nothing changed: the registry does not hold that node with that digest. Propose the whole announcement.
    NotHeld,
    /// A tick was applied, and these nodes are gone.
    Expired(Vec<String>),
}
