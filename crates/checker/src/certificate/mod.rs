//! The second layer: a whole history, put in the order that `Quorate-Index` names, and replayed. O(n log n).
//!
//! The index of a change is its log entry's, that of a lookup is the last entry applied to the state it was answered from
//! (docs/COMPAT.md). They say in what order everything happened: by index, changes before the lookups of the same index. If
//!
//! - the replay of that order shows each lookup exactly what it was answered, whatever it asked for,
//! - real time agrees: what returned before a lookup was called has no later index, and before a change an earlier one,
//! - every acknowledged change is in it, and nothing that was refused, and nothing twice,
//! - no change takes effect at a later index than one that was called when the first had arrived
//!   already,
//! - nothing expires before max-age has passed since its last accepted renewal, which came after its own call and after the
//!   calls of all that has an earlier index,
//!
//! then the history is strictly serializable, and no search was needed. The server's indexes are only a hint for the order: a
//! wrong one fails.
//!
//! **One index, several changes.** An entry is a batch. Changes of different nodes commute, so their order within it does not
//! matter. Those of one node must be the same change: a write taken before another one of its node was decided is overtaken
//! by it (`crates/registry/src/command.rs`), so of two that differ in one batch only one can be acknowledged with this index.
//!
//! **Two writers of one node id.** Promise e: a write that arrived at a node before another one of
//! the same node id began
//! never takes effect after that one was acknowledged. Judged is the order of the log: where the
//! second was acknowledged
//! with index i, the first has no effect after i. The log says which command had one: an
//! announcement of what is held
//! already, a renewal, and a withdrawal of a node that is not held show nothing that another write
//! has not shown, so they
//! may come late. A client knows that its write arrived when the node has answered something that
//! it was asked after it
//! ([`Operation::arrived_ns`]). A change of unknown fate that several operations ask for counts as
//! the one that arrived last, so nothing is called broken that can be explained.
//!
//! **Unknown fates and expiry.** With a log they are where the log has them. Without one, or before its beginning, they are
//! placed at the first lookup that needs them, which is the latest place and so the one that the fewest rules forbid: an
//! unknown announcement where its token is first shown, an expiry where a node is first missed, and if that would be early,
//! an unknown withdrawal.

mod order;
mod replay;
mod report;
mod state;
mod violation;
mod writers;

pub use report::{Certificate, MAX_VIOLATIONS};
pub use violation::Violation;

use crate::history::Operation;
use crate::log::Log;
use crate::max_age::MaxAge;
use order::Order;
use replay::Replay;

/// Judges a history, with the committed log of any node if there is one.
#[must_use]
pub fn certify(history: &[Operation], log: Option<&Log>, max_age: MaxAge) -> Certificate {
    let mut certificate = Certificate::default();
    let order = Order::new(history);
    order.check(&mut certificate);
    Replay::new(history, log, max_age, &order, &mut certificate).run();
    certificate
}
