//! Counts of what happened to announced nodes, for metrics.

/// The number of events that a process has applied, which include those of a replayed log but not
/// those inside a snapshot. They are not part of the state: replicas with equal states may have
/// different counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeCounts {
    /// Nodes that were announced while they were not registered.
    pub joined: u64,
    /// Announcements that replaced a different announcement of the same node.
    pub replaced: u64,
    /// Nodes that were withdrawn.
    pub withdrawn: u64,
    /// Nodes whose deadline was reached.
    pub expired: u64,
}
