//! The shape of a random history.

/// Parameters of a random history.
#[derive(Debug, Clone, Copy)]
pub struct PlanShape {
    /// Number of clients. Each sends one request at a time.
    pub clients: u32,
    /// Number of nodes that announce themselves.
    pub nodes: u64,
    /// Number of (type, pool) groups, at most `nodes`.
    pub groups: u64,
    /// Number of operations.
    pub operations: usize,
    /// Share of changes among the operations, in percent.
    pub write_percent: u64,
    /// Share of changes with an unknown outcome, in percent.
    pub unknown_percent: u64,
    /// Whether a node takes another id after a change with an unknown outcome, as clients of a long
    /// run should. Otherwise the pending changes of one id would accumulate.
    pub abandons: bool,
    /// Whether some announcements have several types, and some lookups name no pool or no type.
    pub is_wide: bool,
}

/// `discovery.max-age` of every simulated registry, in nanoseconds. It is short, so that silent
/// nodes expire within a history, in which requests take up to 10 ms.
pub const MAX_AGE_NS: u64 = 60_000_000;
