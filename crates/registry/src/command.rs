//! Commands in the log, and their outcomes.

use crate::model::{Announcement, StaticService};
use crate::order::Arrival;
use serde::{Deserialize, Serialize};

/// One log entry: a batch of commands that the leader proposed. The commands are applied in order.
///
/// The configuration that `apply` needs is part of the entry, so that nodes with different settings
/// have the same state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Lifetime of an announcement without a renewal, in milliseconds of cluster time.
    pub max_age_ms: u64,
    /// Maximum advance of cluster time by one tick, in milliseconds. Every deadline includes this
    /// amount, because the first tick after an announcement may count time from before the
    /// announcement. An expiry may therefore be late but never early.
    pub step_ms: u64,
    /// The commands.
    pub commands: Vec<Command>,
}

/// One change of the registry.
///
/// **The order of writes of one node.** If write A arrived at any server before write B of the same
/// node began, A never takes effect after B was acknowledged. The receiving node of a write is the
/// node of the cluster to which the client sends the write. Each write carries evidence
/// ([`Arrival`]), which is what the receiving node knew of the log when the write arrived.
///
/// A write is an announcement, a renewal or a withdrawal. `apply` compares the evidence with the
/// index of the entry in which the registry last accepted a write of the node or expired the node.
/// If that entry may be newer than the arrival of the new write, the new write is `Superseded` and
/// changes nothing.
///
/// - The receiving node never proposes a superseded write again with newer evidence. It cannot know
///   whether the superseding write ended before the superseded write arrived, or began later. The
///   client is asked to retry instead.
/// - After a renewal with the outcome `NotRegistered`, the receiving node proposes the whole
///   announcement, with the evidence of the renewal.
/// - If one entry contains several writes of a node, the registry accepts at most one of them,
///   because the evidence of each write is older than the entry. An index ([`Arrival::previous`])
///   therefore identifies a single write.
/// - Renewals, and withdrawals of a node that is not registered, are ordered although they change
///   nothing in a lookup. If a late renewal were accepted, it would count as the last write of its
///   node, although newer writes precede it in the log. A write queued behind the renewal at the
///   receiving node may replace the renewal ([`Arrival::previous`]), and would replace those newer
///   writes too. The same is true of a late withdrawal.
/// - A renewal needs no time limit ([`Arrival::until_ms`]). If the evidence of the renewal is newer
///   than the client's request to renew, the only effect is that the stored announcement lives
///   longer. The writes queued behind the renewal carry evidence of their own.
///
/// Below feature level 4 ([`LEVEL_OF_ORDER`](crate::LEVEL_OF_ORDER)), a command carries a single
/// index, `seen`, and renewals are not ordered. A node of this release proposes such commands until
/// every voter knows level 4, which takes only a moment in a new group. The node proposes each
/// command once, with the index that the node knew to be committed when the write arrived. With
/// this index alone, more writes are superseded than with the full evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Replaces everything that the node announces. If exactly this announcement is stored, the
    /// command is a renewal, regardless of `seen`. From level 4 on, `OrderedAnnounce` is proposed
    /// instead.
    Announce {
        /// The highest index that the receiving node knew to be committed.
        seen: u64,
        /// The announcement.
        announcement: Announcement,
    },
    /// Removes the node, which has left. Succeeds without effect if the node is not registered.
    /// From level 4 on, `OrderedWithdraw` is proposed instead.
    Withdraw {
        /// The highest index that the receiving node knew to be committed.
        seen: u64,
        /// The node.
        node_id: String,
    },
    /// Renews a node that sent its stored announcement again. The command cannot be superseded,
    /// because it changes only the deadline of the stored announcement. From level 4 on,
    /// `OrderedRenew` is proposed instead and can be superseded.
    Renew {
        /// The highest index that the receiving node knew to be committed. `apply` ignores this
        /// index.
        seen: u64,
        /// The node.
        node_id: String,
        /// The digest of the parsed form of the announcement that the node sent.
        digest: u128,
    },
    /// Adds a static service, or replaces the one with the same id.
    AddStatic(StaticService),
    /// Removes a static service.
    RemoveStatic {
        /// The id of the static service.
        id: String,
    },
    /// Advances cluster time. Only a leader proposes this command, on the condition that it still
    /// leads in the same term.
    Tick {
        /// Time to advance by, in milliseconds, limited by the batch's `step_ms`. The time first
        /// uses up the rest of a grace period. The remaining time advances cluster time. If
        /// `grace_ms` is set, the time does neither.
        advance_ms: u64,
        /// Length of a grace period after an outage, in milliseconds. Cluster time stops until
        /// ticks have counted this length, so that clients can find the cluster again. If the rest
        /// of a previous grace period is longer, ticks must count that rest instead. The two
        /// lengths are never added.
        grace_ms: Option<u64>,
    },
    /// Retires these raft ids, which were replaced and never return.
    Retire {
        /// The ids.
        raft_ids: Vec<u64>,
    },
    /// Raises the feature level ([`LEVEL`](crate::LEVEL)) to this number. After this command in the
    /// log, the commands and fields of that level are allowed.
    Level(u32),
    /// Same as `Announce`, with everything that the receiving node knew on arrival. Proposed from
    /// level 4 on.
    OrderedAnnounce {
        /// The evidence of the receiving node about earlier writes.
        arrival: Arrival,
        /// The announcement.
        announcement: Announcement,
    },
    /// Same as `Withdraw`, with everything that the receiving node knew on arrival. Proposed from
    /// level 4 on.
    OrderedWithdraw {
        /// The evidence of the receiving node about earlier writes.
        arrival: Arrival,
        /// The node.
        node_id: String,
    },
    /// Same as `Renew`, with everything that the receiving node knew on arrival. Proposed from
    /// level 4 on.
    OrderedRenew {
        /// The evidence of the receiving node about earlier writes.
        arrival: Arrival,
        /// The node.
        node_id: String,
        /// The digest of the parsed form of the announcement that the node sent.
        digest: u128,
    },
}

/// The outcome of a command; the same on every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The command was applied.
    Applied,
    /// Nothing changed, because the entry that last wrote or removed the node may be newer than
    /// this write. The client may retry.
    Superseded,
    /// Nothing changed, because the registry has no announcement of this node with this digest. The
    /// receiving node then proposes the whole announcement.
    NotRegistered,
    /// Nothing changed, because the registry is full (`MAX_HELD_BYTES`).
    CapacityExceeded,
    /// A tick was applied, and these nodes expired, in the order of their deadlines. The list is
    /// often empty.
    Expired(Vec<String>),
    /// Nothing changed, because the announcement has too many services or too long a location
    /// ([`Registry::objection`](crate::Registry::objection)). This outcome is possible from level 4
    /// on.
    OverLimit,
}
