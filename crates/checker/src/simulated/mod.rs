//! Random histories of a registry that keeps its promises, or breaks one: what checkers are tested with.
//!
//! One seed decides everything. Clients ask concurrently; each change and each lookup takes effect at a moment between its
//! call and its return, a change of unknown fate at any time after its call or never. Expiry comes at max-age or up to half
//! of it later. Changes that are under way at once may share a log entry. Any client writes any
//! node. Most changes are
//! known to have arrived some time after their call; one that finds that a later change of its node
//! was acknowledged is refused, unless it changes nothing.

mod execution;
mod garble;
mod plan;

pub use garble::garble;

use crate::MaxAge;
use crate::history::Operation;
use crate::log::Log;
use crate::random::Random;

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

/// How many of 100 occasions a bug takes.
const BUG_PERCENT: u64 = 12;

/// A promise that the registry breaks now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A change is acknowledged and does not happen.
    LostAck,
    /// A lookup shows an earlier state.
    StaleLookup,
    /// A lookup shows some nodes as they were earlier.
    FracturedLookup,
    /// A node expires after a quarter of max-age.
    EarlyExpiry,
    /// What is gone comes back.
    Resurrection,
    /// A change is refused and happens.
    RefusedApplied,
    /// A change happens again later.
    AppliedTwice,
    /// A change that is overtaken happens all the same, after what overtook it.
    SecondProposal,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::LostAck,
        Self::StaleLookup,
        Self::FracturedLookup,
        Self::EarlyExpiry,
        Self::Resurrection,
        Self::RefusedApplied,
        Self::AppliedTwice,
        Self::SecondProposal,
    ];
}

/// A history and the log behind it.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// What the clients saw, by the time of the call.
    pub history: Vec<Operation>,
    /// What was applied.
    pub log: Log,
}

/// The max-age of simulated registries, for checkers.
#[must_use]
pub fn max_age() -> MaxAge {
    MaxAge::from_ns(MAX_AGE_NS)
}

/// Draws a history.
#[must_use]
pub fn simulate(seed: u64, shape: &Shape, bug: Option<Bug>) -> Simulated {
    let mut random = Random::new(seed);
    let plan = plan::draw(&mut random, shape);
    execution::execute(&mut random, plan, bug)
}
