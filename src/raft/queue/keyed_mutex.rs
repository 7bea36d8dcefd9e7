//! Serializes writes of one `node.id` in order of arrival (docs/decisions/0004).
//!
//! The last PUT and the DELETE of a Java node arrive on two connections. If both were in flight
//! together, the DELETE might be applied first, and the PUT would then have to be refused.

use crate::locks::lock;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use tokio::sync::oneshot;

/// The writes in flight, by node. Bounded by the number of waiting requests: a node without one has
/// no entry.
#[derive(Default)]
pub(crate) struct Turns {
    by_node: Mutex<BTreeMap<String, Queue>>,
}

/// The writes of one node that wait for the current one.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<oneshot::Sender<()>>,
    /// Index of the last write that was accepted in a turn of this queue.
    accepted: Option<u64>,
}

/// A write's place in the queue of its node.
pub(crate) struct Place<'a> {
    turns: &'a Turns,
    node_id: String,
    /// Absent once this write has the turn.
    waits_for: Option<oneshot::Receiver<()>>,
}

/// The turn of one write; dropping it starts the next turn.
pub(crate) struct Turn<'a>(Place<'a>);

impl Turns {
    /// Takes a place in the queue of a node, synchronously, ahead of all later calls.
    #[cfg(test)]
    pub(crate) fn enter(&self, node_id: &str) -> Place<'_> {
        self.enter_noting(node_id, || ()).0
    }

    /// Takes a place in the queue of a node, ahead of all later calls, and runs `note` under the
    /// same lock.
    ///
    /// The two must be atomic. A write may follow the write ahead of it in its queue, and so every
    /// write that the one ahead may follow. If the one ahead collected its evidence after this
    /// write took its place, this write could follow one that was acknowledged after its own
    /// arrival.
    pub(crate) fn enter_noting<T>(
        &self,
        node_id: &str,
        note: impl FnOnce() -> T,
    ) -> (Place<'_>, T) {
        let mut by_node = lock(&self.by_node);
        let waits_for = match by_node.get_mut(node_id) {
            Some(queue) => {
                let (sender, receiver) = oneshot::channel();
                queue.waiting.push_back(sender);
                Some(receiver)
            }
            None => {
                by_node.insert(node_id.to_owned(), Queue::default());
                None
            }
        };
        let noted = note();
        let place = Place {
            turns: self,
            node_id: node_id.to_owned(),
            waits_for,
        };
        (place, noted)
    }

    /// Passes the turn to the next write that still waits.
    fn pass_on(&self, node_id: &str) {
        let mut by_node = lock(&self.by_node);
        let Some(queue) = by_node.get_mut(node_id) else {
            return;
        };
        while let Some(next) = queue.waiting.pop_front() {
            if next.send(()).is_ok() {
                return;
            }
        }
        by_node.remove(node_id);
    }
}

impl<'a> Place<'a> {
    /// Waits for the turn. A write that stops waiting loses its place.
    pub(crate) async fn turn(mut self) -> Turn<'a> {
        if let Some(waits_for) = &mut self.waits_for {
            // The sender is dropped unused only if this place is dropped first.
            let _ = waits_for.await;
            self.waits_for = None;
        }
        Turn(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let holds_turn = match &mut self.waits_for {
            None => true,
            Some(waits_for) => {
                waits_for.close();
                // The turn may have been passed just before the wait ended.
                waits_for.try_recv().is_ok()
            }
        };
        if holds_turn {
            self.turns.pass_on(&self.node_id);
        }
    }
}

impl Turn<'_> {
    /// Returns the index of the last write of this node that was accepted in an earlier turn, if
    /// the current write arrived while that one was in flight.
    pub(crate) fn previous(&self) -> Option<u64> {
        let by_node = lock(&self.0.turns.by_node);
        by_node
            .get(&self.0.node_id)
            .and_then(|queue| queue.accepted)
    }

    /// Records that this write was accepted by the entry at `index`.
    pub(crate) fn accepted(&self, index: u64) {
        if let Some(queue) = lock(&self.0.turns.by_node).get_mut(&self.0.node_id) {
            queue.accepted = Some(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// The second write of a node waits for the first, another node's write does not wait, and no
    /// entry is left over.
    #[tokio::test]
    async fn writes_of_one_node_take_turns() {
        let turns = Turns::default();
        let first = turns.enter("w1").turn().await;
        let mut second = Box::pin(turns.enter("w1").turn());
        assert!((&mut second).now_or_never().is_none());
        assert!(turns.enter("w2").turn().now_or_never().is_some());
        drop(first);
        drop(second.await);
        assert!(lock(&turns.by_node).is_empty());
    }

    /// The evidence of a write is collected at the moment that it takes its place, so that later
    /// writes of a node have at least the evidence of earlier ones.
    #[tokio::test]
    async fn a_place_is_taken_with_what_is_known() {
        let turns = Turns::default();
        let (place, is_one_moment) = turns.enter_noting("w1", || turns.by_node.try_lock().is_err());
        drop(place.turn().await);
        assert!(is_one_moment, "another could take a place meanwhile");
    }

    /// A client that stops waiting frees its place, both before it has the turn and after.
    #[tokio::test]
    async fn a_write_given_up_holds_nobody() {
        let turns = Turns::default();
        let first = turns.enter("w1").turn().await;
        let given_up = turns.enter("w1").turn();
        let given_late = turns.enter("w1").turn();
        let last = turns.enter("w1").turn();
        drop(given_up);
        drop(first);
        drop(given_late);
        drop(last.now_or_never().expect("its turn has come"));
        assert!(lock(&turns.by_node).is_empty());
        assert!(turns.enter("w1").turn().now_or_never().is_some());
    }

    /// The order is the order of entering, not of waiting, and each write learns which earlier
    /// write was accepted last.
    #[tokio::test]
    async fn a_place_is_taken_at_once() {
        let turns = Turns::default();
        let first = turns.enter("w1").turn().await;
        let (second, third) = (turns.enter("w1"), turns.enter("w1"));
        let mut third = Box::pin(third.turn());
        assert!((&mut third).now_or_never().is_none());
        assert_eq!(first.previous(), None);
        first.accepted(7);
        drop(first);
        let second = second.turn().now_or_never().expect("its turn has come");
        assert_eq!(second.previous(), Some(7));
        drop(second);
        let third = third.now_or_never().expect("its turn has come");
        assert_eq!(third.previous(), Some(7), "the second was not accepted");
        drop(third);
        assert_eq!(turns.enter("w1").turn().await.previous(), None);
    }
}
