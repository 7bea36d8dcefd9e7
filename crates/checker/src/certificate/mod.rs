//! The second layer: replays a whole history in the order of `Quorate-Index`.
//!
//! Its time is O(n log n).
//!
//! The index of a change is that of its log entry. The index of a lookup is that of the last entry
//! applied to the state from which it was answered (docs/COMPAT.md). These indexes order all
//! operations: by index, with changes before the lookups of the same index. If
//!
//! - the replay in this order reproduces the exact result of each lookup, whichever type and pool
//!   it requested,
//! - real time agrees. If a first operation returned before a second one was called, the index of
//!   the first is not later than that of the second. It is earlier if the second is a change,
//! - every acknowledged change is in this order, no refused change is, and no change is in it
//!   twice,
//! - two writes of one node id keep their order. Suppose that the first had arrived at a server
//!   before the second was called, and that the second was acknowledged. Then the first takes no
//!   effect at a later index than the second,
//! - no node expires before max-age has passed since its last renewal was accepted. The time of
//!   that acceptance is unknown; its lower bound is the latest of the renewal's own call and the
//!   calls of all operations with an earlier index,
//!
//! then the history is strictly serializable, and no search is needed. The indexes of the server
//! are only a hint for the order: a wrong index fails these checks.
//!
//! **One index, several changes.** An entry is a batch. Changes of different nodes commute, so
//! their order within a batch does not matter. Acknowledged changes of one node in one batch must
//! be identical. Two writes of a node may differ, and the registry may receive one before it has
//! decided the other. It then rejects one of the two as overtaken
//! (`crates/registry/src/command.rs`). Only one of the two can therefore be acknowledged with the
//! index of the batch.
//!
//! **Two writers of one node id.** Promise e concerns two writes of one node id: the first arrived
//! at a server before the second began. The first write never takes effect after the second write
//! was acknowledged. This check uses the order of the log: if the second write was acknowledged
//! with index i, the first has no effect after i. The log shows which commands had an effect. Three
//! kinds of writes may come late, since they change the result of no lookup: an announcement equal
//! to the stored one, a renewal, and a withdrawal of a node that is not registered. A client knows
//! that its write arrived once the server has answered a request that was sent after the write
//! ([`Operation::arrived_ns`]). If several operations may have caused a change, the change is
//! attributed to the operation that arrived last. Otherwise a history that can be explained might
//! be rejected.
//!
//! **Unknown outcomes and expiry.** With a log, changes with unknown outcomes and expiries have the
//! index that the log gives them. Without a log, or before its beginning, they are placed at the
//! first lookup that needs them. No later index explains that lookup, and at an earlier index the
//! change would break at least as many rules. An announcement is placed where its token is first
//! shown. An expiry is placed where a node is first missing; if the node cannot have expired by
//! then, a withdrawal with an unknown outcome is placed there instead.

mod order;
mod replay;
mod report;
mod state;
mod violation;
mod writers;

pub use report::{Certificate, MAX_VIOLATIONS};
pub use violation::Violation;

use crate::history::Operation;
use crate::log::CommittedLog;
use crate::max_age::MaxAge;
use order::Order;
use replay::Replay;

/// Judges a history, together with the committed log of any node if there is one.
#[must_use]
pub fn certify(history: &[Operation], log: Option<&CommittedLog>, max_age: MaxAge) -> Certificate {
    let mut certificate = Certificate::default();
    let order = Order::new(history);
    order.check(&mut certificate);
    Replay::new(history, log, max_age, &order, &mut certificate).run();
    certificate
}
