//! Commands in the log, and their outcomes.

use crate::model::{Announcement, StaticService};
use crate::order::Arrival;
use serde::{Deserialize, Serialize};

/// One log entry: a batch of commands that the leader proposed, applied in order.
///
/// The configuration that `apply` needs is part of the entry, so that nodes with different settings
/// have the same state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Lifetime of an announcement without a renewal, in milliseconds of cluster time.
    pub max_age_ms: u64,
    /// Maximum advance of cluster time by one tick, in milliseconds. It is added to every deadline,
    /// because the first tick after an announcement may count time that passed before the
    /// announcement. An expiry may therefore be late but never early.
    pub step_ms: u64,
    /// The commands.
    pub commands: Vec<Command>,
}

/// One change of the registry.
///
/// **The order of writes of one node.** Suppose that write A arrived at any server before write B
/// of the same node began. Then A never takes effect after B was acknowledged. Each write therefore
/// carries evidence: what the cluster's node that received it (the receiving node) knew of the log
/// at its arrival ([`Arrival`]). `apply` compares the evidence with the index of one entry. In this
/// entry, the registry last accepted a write of the node (an announcement, a renewal or a
/// withdrawal) or expired the node. If the entry may be newer than the arrival, the write is
/// `Superseded` and changes nothing.
///
/// - The receiving node proposes a write only with the evidence from the write's arrival. It never
///   proposes a superseded write again with newer evidence. The reason is that the superseding
///   write may have ended before this write arrived or begun after this write arrived. The
///   receiving node cannot tell these two cases apart. The client is asked to retry instead.
/// - After a renewal with the outcome `NotRegistered`, the receiving node proposes the whole
///   announcement, with the evidence of the renewal.
/// - If one entry contains several writes of a node, the registry accepts at most one of them. This
///   is so because the evidence of each write is older than the entry. An index
///   ([`Arrival::previous`]) therefore identifies a single write, not two of which one may have
///   begun later.
/// - Renewals, and withdrawals of a node that is not registered, change nothing in a lookup. They
///   are ordered nevertheless. Otherwise a late one would count as the last write of its node,
///   although newer writes precede it in the log. The next write in the receiving node's queue may
///   replace its predecessor in the queue ([`Arrival::previous`]). If the predecessor is the late
///   write, the next write would replace those newer writes too.
/// - A renewal needs no time limit ([`Arrival::until_ms`]), however. If its evidence is newer than
///   the client's request to renew, the only effect is that the stored announcement lives longer.
///   The writes queued behind the renewal carry evidence of their own.
///
/// Below feature level 4 ([`LEVEL_OF_ORDER`](crate::LEVEL_OF_ORDER)), commands carry a single
/// index, `seen`, and renewals are not ordered. Until every voter knows level 4, a node of this
/// release proposes such commands too. It proposes each command once, with the index that the node
/// knew to be committed when the write arrived. With this index alone, more writes are superseded
/// than with the full evidence. A new group is in this state only for a moment.
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
        /// The highest index that the node that received the withdrawal knew to be committed.
        seen: u64,
        /// The node.
        node_id: String,
    },
    /// Renews a node that sent its stored announcement again. This command cannot be superseded,
    /// because it changes only the deadline of exactly that announcement. From level 4 on,
    /// `OrderedRenew` is proposed instead, which can be superseded.
    Renew {
        /// The highest index that the receiving node knew to be committed. `apply` ignores it.
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
    /// Advances cluster time. Proposed only by the leader, on the condition that it is still the
    /// leader of the same term.
    Tick {
        /// Time to advance by, in milliseconds, limited by the batch's `step_ms`. This time first
        /// uses up the rest of a grace period, then advances cluster time. If `grace_ms` is set, it
        /// does neither.
        advance_ms: u64,
        /// Length of a grace period after an outage, in milliseconds. Cluster time stops until
        /// ticks have counted this much time, so that clients can find the cluster again. Two grace
        /// periods do not add up: the longer of this one and the rest of the previous one applies.
        grace_ms: Option<u64>,
    },
    /// Retires these raft ids, which were replaced and never return.
    Retire {
        /// The ids.
        raft_ids: Vec<u64>,
    },
    /// Raises the feature level ([`LEVEL`](crate::LEVEL)) to this number. From here on in the log,
    /// the commands and fields of that level are allowed.
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
    /// Nothing changed: the registry has no such node with that digest. The receiving node then
    /// proposes the whole announcement.
    NotRegistered,
    /// Nothing changed: the registry is full (`MAX_HELD_BYTES`).
    CapacityExceeded,
    /// A tick was applied, and these nodes expired, in the order of their deadlines. Often empty.
    Expired(Vec<String>),
    /// Nothing changed: the announcement has too many services or too long a location
    /// ([`Registry::objection`](crate::Registry::objection)). Possible from level 4 on.
    OverLimit,
}
