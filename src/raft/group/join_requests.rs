//! The join requests that the leader has received.

use crate::clock::{self, Instant};
use crate::locks::lock;
use crate::raft::transport::identity::NodeIdentity;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// Maximum age of a join request. A joining node repeats its request every few hundred
/// milliseconds. A node without a request for this long has stopped asking.
const MAX_AGE: Duration = Duration::from_secs(5);

/// The received join requests, by `node.id`. Their number is bounded, since only requests for a
/// `node.id` of the group are added.
#[derive(Default)]
pub(crate) struct JoinRequests {
    by_node: Mutex<BTreeMap<String, PendingJoin>>,
}

/// One join request.
#[derive(Debug, Clone)]
pub(crate) struct PendingJoin {
    pub(crate) name: NodeIdentity,
    /// The joining node's address in the leader's inventory, or in the log if the inventory has
    /// none. The address that the node claims is not used.
    pub(crate) address: String,
    /// The time of the last request.
    at: Instant,
    /// The time since which the old incarnation has not answered at its address. `None` before the
    /// first unanswered probe, and again after an answer.
    pub(crate) old_silent_since: Option<Instant>,
    /// The reason why the node cannot join at present. It is the answer to the node's next request.
    pub(crate) rejection: Option<String>,
}

impl JoinRequests {
    /// Records a join request, and returns the reason if it is refused.
    pub(crate) fn add(&self, name: NodeIdentity, address: String) -> Option<String> {
        let now = clock::now();
        let mut requests = lock(&self.by_node);
        let pending = requests
            .entry(name.node_id.clone())
            .or_insert_with(|| PendingJoin {
                name: name.clone(),
                address: address.clone(),
                at: now,
                old_silent_since: None,
                rejection: None,
            });
        if pending.name != name {
            pending.name = name;
            pending.old_silent_since = None;
            pending.rejection = None;
        }
        pending.at = now;
        pending.address = address;
        pending.rejection.clone()
    }

    /// Returns the time at which a node of this id last asked to join.
    pub(crate) fn last_request(&self, node_id: &str) -> Option<Instant> {
        lock(&self.by_node).get(node_id).map(|pending| pending.at)
    }

    /// Returns the requests of the nodes that still ask, and removes all others.
    pub(crate) fn due(&self) -> Vec<PendingJoin> {
        let now = clock::now();
        let mut requests = lock(&self.by_node);
        requests.retain(|_, pending| now.duration_since(pending.at) < MAX_AGE);
        requests.values().cloned().collect()
    }

    /// Applies `change` to a node's request, if there is one.
    pub(crate) fn update(&self, node_id: &str, change: impl FnOnce(&mut PendingJoin)) {
        if let Some(pending) = lock(&self.by_node).get_mut(node_id) {
            change(pending);
        }
    }

    /// Removes a node's request.
    pub(crate) fn forget(&self, node_id: &str) {
        lock(&self.by_node).remove(node_id);
    }
}
