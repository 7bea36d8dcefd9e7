//! The second layer: replays a whole history in the order of `Quorate-Index`.
//!
//! The replay takes O(n log n) time.
//!
//! The index of a change is the index of its log entry. The index of a lookup is the index of the
//! last log entry applied to the state that the lookup read (docs/COMPAT.md). The replay sorts all
//! operations by index. At the same index, changes come before lookups.
//!
//! A history is strictly serializable if it passes these checks:
//!
//! - The replay reproduces the exact result of each lookup, whichever type and pool the lookup
//!   requested.
//! - The order agrees with real time. If operation A returned before operation B was called, the
//!   index of A is not later than the index of B. If B is a change, the index of A is earlier.
//! - Every acknowledged change is in the order, and no refused change is. No change is in the order
//!   twice.
//! - Two writes of one node id keep their order. If write A had arrived at a server before write B
//!   was called, and B was acknowledged, A takes no effect at a later index than B.
//! - No node expires before max-age has passed since the server accepted the node's last renewal.
//!   The time of acceptance is unknown, so the check uses a lower bound: the latest call time among
//!   the renewal and all operations with an earlier index.
//!
//! No search is needed, because the indexes give the order. The server need not be trusted, because
//! a wrong index fails one of the checks.
//!
//! **One index, several changes.** A log entry is a batch of commands. Changes of different nodes
//! commute, so their order within a batch does not matter. Acknowledged changes of one node in one
//! batch must be identical. If a batch contains different writes of a node, the registry accepts at
//! most one of them and rejects the others as overtaken (`crates/registry/src/command.rs`).
//!
//! **Two writers of one node id.** The check of promise e reads the log, which shows the commands
//! that had an effect. Let A and B be two writes of a node id as above. If B was acknowledged with
//! index i, A must have no effect above i. Three kinds of writes may nevertheless come late, since
//! they change the result of no lookup: an announcement equal to the stored one, a renewal, and a
//! withdrawal of a node that is not registered.
//!
//! A client knows that its write arrived once the server has answered a request that was sent after
//! the write ([`Operation::arrived_ns`]). If several operations may have caused a change, the
//! change is attributed to the operation that arrived last. Otherwise a history that can be
//! explained might be rejected.
//!
//! **Unknown outcomes and expiry.** The log gives the index of each expiry, and of each change with
//! an unknown outcome that took effect. Without a log, or before the beginning of the log, these
//! events are placed at the first lookup that needs them. A later index would not explain this
//! lookup. At an earlier index, an event would break at least as many rules.
//!
//! An announcement is placed at the first lookup that shows its token. An expiry is placed at the
//! first lookup that omits the node. If the node cannot have expired before this lookup, the replay
//! places a change with an unknown outcome that explains the absence, such as a withdrawal, at the
//! lookup instead.

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

/// Judges a history. Also uses the committed log of a node if `log` is given.
#[must_use]
pub fn certify(history: &[Operation], log: Option<&CommittedLog>, max_age: MaxAge) -> Certificate {
    let mut certificate = Certificate::default();
    let order = Order::new(history);
    order.check(&mut certificate);
    Replay::new(history, log, max_age, &order, &mut certificate).run();
    certificate
}
