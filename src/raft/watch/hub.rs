//! Watchers for clients that follow lookups on this node. A [`Watcher`] reports changes as they are
//! applied. It also reports when this node no longer serves reads, because the state may then be
//! stale.

use super::history::{ChangeHistory, LookupChange, Subscription};
use crate::model::Lookup;
use crate::registry::Change;
use std::sync::Arc;
use tokio::sync::watch;

/// The source of every [`Watcher`] of this node.
#[derive(Debug)]
pub(crate) struct WatchHub {
    cluster_id: u64,
    changes: Arc<ChangeHistory>,
    /// The reason why this node's state may be stale; `None` while reads are served.
    lost: watch::Sender<Option<Arc<str>>>,
}

impl WatchHub {
    /// Creates the hub of a cluster. Its history contains the changes after the log index `floor`.
    pub(crate) fn new(cluster_id: u64, floor: u64) -> WatchHub {
        WatchHub {
            cluster_id,
            changes: Arc::new(ChangeHistory::starting_at(floor)),
            lost: watch::Sender::new(None),
        }
    }

    /// Creates a watcher of these lookups. [`Watcher::since`] returns the changes of the first
    /// lookup.
    pub(crate) fn watch(&self, lookups: &[Lookup]) -> Watcher {
        Watcher {
            cluster_id: self.cluster_id,
            subscriptions: lookups
                .iter()
                .map(|lookup| self.changes.subscribe(lookup))
                .collect(),
            lost: self.lost.subscribe(),
        }
    }

    /// Stores the changes of one log entry. The caller must still hold the registry's lock under
    /// which it applied the entry. Otherwise a reader of the new state might not find the changes
    /// here.
    pub(crate) fn keep(&self, changes: &[Change]) {
        self.changes.keep(changes);
    }

    /// Notifies the subscribers of the changed lookups. Must be called once the registry shows the
    /// changes.
    pub(crate) fn notify(&self, changes: &[Change]) {
        self.changes.notify(changes);
    }

    /// Restarts the history after a snapshot at `index` replaced the state.
    pub(crate) fn start_over(&self, index: u64) {
        self.changes.start_over(index);
    }

    /// Returns the number of subscriptions.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn subscriptions(&self) -> usize {
        self.changes.subscriptions()
    }

    /// Records the reason why this node serves no reads, or `None` if it serves reads.
    pub(crate) fn set_unavailable(&self, reason: Option<String>) {
        // Every served read calls this, usually without a change. Reading the value first is cheap
        // and avoids most writes.
        if reason.is_none() && self.lost.borrow().is_none() {
            return;
        }
        self.lost.send_if_modified(|lost| {
            // The wording of a reason may vary from call to call. Only its presence or absence
            // counts as a change.
            let has_changed = lost.is_some() != reason.is_some();
            if has_changed {
                *lost = reason.map(Arc::from);
            }
            has_changed
        });
    }
}

/// An event of a [`Watcher`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// One of the lookups of the watcher changed.
    Changed,
    /// This node has served no read for too long, so its state may be stale. Contains the reason.
    Lost(String),
}

/// A client's watch of some lookups on one node, created by
/// [`Node::watch`](crate::raft::Node::watch).
///
/// - No change after the creation of the watcher is missed. If a change is applied while no
///   [`Watcher::next`] is waiting, the next call returns immediately.
/// - A change is reported only once it is applied, so a lookup from local state shows the change.
#[derive(Debug)]
pub struct Watcher {
    cluster_id: u64,
    subscriptions: Vec<Subscription>,
    lost: watch::Receiver<Option<Arc<str>>>,
}

impl Watcher {
    /// Returns the id of the cluster. The log indexes of the changes mean nothing in another
    /// cluster.
    pub fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    /// Waits for a change, or until this node no longer serves reads.
    pub async fn next(&mut self) -> WatchEvent {
        let changed = any_changed(&mut self.subscriptions);
        tokio::select! {
            // Poll this branch first. A node that no longer serves reads must report this even if
            // it has changes to deliver.
            biased;
            lost = self.lost.wait_for(Option::is_some) => match lost {
                Ok(reason) => WatchEvent::Lost(reason.as_deref().unwrap_or_default().to_owned()),
                Err(_) => WatchEvent::Lost("this node is stopping".to_owned()),
            },
            () = changed => WatchEvent::Changed,
        }
    }

    /// Returns the changes of the first lookup after `index`, in order, or `None` when some of them
    /// may have been dropped.
    pub fn since(&self, index: u64) -> Option<Vec<LookupChange>> {
        self.subscriptions.first()?.since(index)
    }
}

/// Resolves when the lookup of any subscription has changed.
async fn any_changed(subscriptions: &mut [Subscription]) {
    // Most watchers have a single subscription. Waiting for it directly needs no allocation, which
    // matters when thousands are notified together.
    if let [one] = subscriptions {
        return one.changed().await;
    }
    let each = subscriptions
        .iter_mut()
        .map(|subscription| Box::pin(subscription.changed()));
    futures_util::future::select_all(each).await;
}
