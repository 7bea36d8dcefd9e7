//! Random histories of a registry that keeps its promises, or breaks one: what checkers are tested with.
//!
//! One seed decides everything. Clients ask concurrently; each change and each lookup takes effect at a moment between its
//! call and its return, a change of unknown fate at any time after its call or never. Expiry comes at max-age or up to half
//! of it later. Changes that are under way at once may share a log entry. Any client writes any
//! node. Most changes are
//! known to have arrived some time after their call; one that finds that a later change of its node
//! was acknowledged is refused, unless it changes nothing.

mod bug;
mod execution;
mod garble;
mod plan;
mod shape;

pub use bug::Bug;
pub use execution::Simulated;
pub use garble::garble;
pub use shape::{MAX_AGE_NS, Shape};

use crate::max_age::MaxAge;
use crate::random::Random;

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
