//! What clients follow on this node: changes as they are applied, and the end of trust in them.

use super::history::{Changes, LookupChange, Subscription};
use crate::model::Lookup;
use crate::registry::Change;
use std::sync::Arc;
use tokio::sync::watch;

/// The source of every [`Feed`] of this node.
#[derive(Debug)]
pub(crate) struct Feeds {
    cluster_id: u64,
    changes: Arc<Changes>,
    /// Why this node's state may be old; `None` while reads are served.
    lost: watch::Sender<Option<Arc<str>>>,
}

impl Feeds {
    /// Of a cluster, whose changes are known after `floor`.
    pub(crate) fn new(cluster_id: u64, floor: u64) -> Feeds {
        Feeds {
            cluster_id,
            changes: Arc::new(Changes::starting_at(floor)),
            lost: watch::Sender::new(None),
        }
    }

    /// Follows lookups, of which the first is the one whose changes are asked for.
    pub(crate) fn feed(&self, lookups: &[Lookup]) -> Feed {
        Feed {
            cluster_id: self.cluster_id,
            subscriptions: lookups
                .iter()
                .map(|lookup| self.changes.subscribe(lookup))
                .collect(),
            lost: self.lost.subscribe(),
        }
    }

    /// Keeps an entry's changes; to be called before another thread can read the registry that shows them.
    pub(crate) fn keep(&self, changes: &[Change]) {
        self.changes.keep(changes);
    }

    /// Wakes those who wait for what has changed; to be called once the registry shows it.
    pub(crate) fn tell(&self, changes: &[Change]) {
        self.changes.tell(changes);
    }

    /// The state was replaced by one at `index`.
    pub(crate) fn start_over(&self, index: u64) {
        self.changes.start_over(index);
    }

    /// How many subscriptions there are.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn subscriptions(&self) -> usize {
        self.changes.subscriptions()
    }

    /// Says that reads are served, or why not.
    pub(crate) fn set_lost(&self, reason: Option<String>) {
        // Each read that is served says so: to look costs them less than to write.
        if reason.is_none() && self.lost.borrow().is_none() {
            return;
        }
        self.lost.send_if_modified(|lost| {
            // The wording may change from moment to moment; what counts is whether.
            let turns = lost.is_some() != reason.is_some();
            if turns {
                *lost = reason.map(Arc::from);
            }
            turns
        });
    }
}

/// Why a [`Feed`] woke up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// One of its lookups changed.
    Changed,
    /// This node has served no read for too long: what it holds may be old. With the reason.
    Lost(String),
}

/// Follows lookups on one node, from [`Node::feed`](crate::raft::Node::feed) on.
///
/// - A change after the feed began is never missed: it wakes the feed, now or at its next [`Feed::next`].
/// - What wakes it is applied: a lookup from local state shows it.
#[derive(Debug)]
pub struct Feed {
    cluster_id: u64,
    subscriptions: Vec<Subscription>,
    lost: watch::Receiver<Option<Arc<str>>>,
}

impl Feed {
    /// The cluster, whose indexes mean nothing to another.
    pub fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    /// Waits for a change, or for the end of trust in this node.
    pub async fn next(&mut self) -> Wake {
        let changed = any_changed(&mut self.subscriptions);
        tokio::select! {
            // First, so that a node that is lost says so even when it has changes to show.
            biased;
            lost = self.lost.wait_for(Option::is_some) => match lost {
                Ok(reason) => Wake::Lost(reason.as_deref().unwrap_or_default().to_owned()),
                Err(_) => Wake::Lost("this node is stopping".to_owned()),
            },
            () = changed => Wake::Changed,
        }
    }

    /// The changes of the first lookup after an index, in order; `None` when some of them may be gone.
    pub fn since(&self, index: u64) -> Option<Vec<LookupChange>> {
        self.subscriptions.first()?.since(index)
    }
}

async fn any_changed(subscriptions: &mut [Subscription]) {
    // Of one, as most are, without the boxes that several need: thousands wake at once.
    if let [one] = subscriptions {
        return one.changed().await;
    }
    let each = subscriptions
        .iter_mut()
        .map(|subscription| Box::pin(subscription.changed()));
    futures_util::future::select_all(each).await;
}
