//! The shape of a random history.

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many clients ask, each one request at a time.
    pub clients: u32,
    /// How many nodes announce themselves.
    pub nodes: u64,
    /// How many (type, pool) there are; at most `nodes`.
    pub groups: u64,
    /// How many operations.
    pub operations: usize,
    /// How many of 100 operations are changes.
    pub write_percent: u64,
    /// How many of 100 changes have an unknown fate.
    pub unknown_percent: u64,
    /// Whether a node takes another id after a change of unknown fate, as clients of a long run should: pending changes of one id
    /// would pile up.
    pub abandons: bool,
    /// Whether some announcements have several types and some lookups name no pool or no type.
    pub is_wide: bool,
}

/// `discovery.max-age` of every simulated registry, in nanoseconds. Requests take 1 to 10 ms, so that silent nodes expire
/// between them.
pub const MAX_AGE_NS: u64 = 60_000_000;
