//! Writes of one `node.id` take turns in order of arrival (amendment A3).
//!
//! A Java node's last PUT and its DELETE come on two connections. Were both under way at once, the
//! PUT could be overtaken, proposed again, and leave a ghost for max-age.

use super::locks::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Who is writing for which node. Bounded by the requests that wait: a node without one has no entry.
#[derive(Default)]
pub(super) struct Turns {
    by_node: Mutex<BTreeMap<String, Arc<AsyncMutex<()>>>>,
}

/// One write's turn; the next one's begins when it is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    node_id: String,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn of a write of this node. Cancel-safe: whoever stops waiting loses its place.
    pub(super) async fn take(&self, node_id: &str) -> Turn<'_> {
        let queue = lock(&self.by_node)
            .entry(node_id.to_owned())
            .or_default()
            .clone();
        // Made before the wait, so that whoever stops waiting tidies up as well.
        let mut turn = Turn {
            turns: self,
            node_id: node_id.to_owned(),
            guard: None,
        };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut by_node = lock(&self.turns.by_node);
        let idle = by_node
            .get(&self.node_id)
            .is_some_and(|queue| Arc::strong_count(queue) == 1);
        if idle {
            by_node.remove(&self.node_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// The second write of a node waits for the first, another node's does not, and nothing is left behind.
    #[tokio::test]
    async fn writes_of_one_node_take_turns() {
        let turns = Turns::default();
        let first = turns.take("w1").await;
        let mut second = Box::pin(turns.take("w1"));
        assert!((&mut second).now_or_never().is_none());
        assert!(turns.take("w2").now_or_never().is_some());
        drop(first);
        drop(second.await);
        assert!(lock(&turns.by_node).is_empty());
    }

    /// A client that stops waiting frees its place.
    #[tokio::test]
    async fn a_write_given_up_holds_nobody() {
        let turns = Turns::default();
        let first = turns.take("w1").await;
        let mut second = Box::pin(turns.take("w1"));
        assert!((&mut second).now_or_never().is_none());
        drop(second);
        drop(first);
        assert!(lock(&turns.by_node).is_empty());
        assert!(turns.take("w1").now_or_never().is_some());
    }
}
