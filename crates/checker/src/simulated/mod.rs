//! Random histories for tests of the checkers.
//!
//! Each history comes from a registry that keeps its promises, or from one that breaks a promise.
//!
//! One seed determines everything:
//!
//! - Clients send requests concurrently. Each change and each lookup takes effect at a time between
//!   its call and its return. A change with an unknown outcome takes effect at any time after its
//!   call, or never.
//! - A node expires at max-age, or up to half of max-age later.
//! - Concurrent changes may share a log entry.
//! - Any client writes any node.
//! - Most changes have a known time of arrival. Change A is refused if change B of the same node is
//!   called after A arrived, is acknowledged, and takes effect before A. A is accepted nevertheless
//!   if A would change nothing.

mod bug;
mod execution;
mod garble;
mod plan;
mod shape;

pub use bug::SimulatedBug;
pub use execution::Simulated;
pub use garble::garble;
pub use shape::{MAX_AGE_NS, PlanShape};

use crate::max_age::MaxAge;
use crate::random::Random;

/// Returns the max-age of simulated registries, for checkers.
#[must_use]
pub fn max_age() -> MaxAge {
    MaxAge::from_ns(MAX_AGE_NS)
}

/// Draws a random history and its log, from a registry that keeps its promises or has the given
/// bug.
#[must_use]
pub fn simulate(seed: u64, shape: &PlanShape, bug: Option<SimulatedBug>) -> Simulated {
    let mut random = Random::new(seed);
    let plan = plan::draw(&mut random, shape);
    execution::execute(&mut random, plan, bug)
}
