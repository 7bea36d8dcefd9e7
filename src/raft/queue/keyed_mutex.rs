//! Serializes writes of one `node.id` in order of arrival (docs/decisions/0004).
//!
//! A Java node sends its last PUT and its DELETE on two connections. If both were in flight at the
//! same time, the DELETE could be applied first, and the PUT would have to be rejected.

use crate::locks::lock;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use tokio::sync::oneshot;

/// A mutex for each `node.id`. The number of entries is bounded by the number of waiting requests,
/// since a `node.id` without a waiting request has no entry. The memory for the largest number so
/// far, at most a few megabytes, is kept.
#[derive(Default)]
pub(crate) struct KeyedMutex {
    by_node: Mutex<HashMap<String, KeyQueue>>,
}

/// The writes of one `node.id` that wait for the current write.
#[derive(Default)]
struct KeyQueue {
    waiting: VecDeque<oneshot::Sender<()>>,
    /// Log index of the last accepted write since this queue was created.
    accepted: Option<u64>,
}

/// A write's position in the queue of its `node.id`.
pub(crate) struct KeyedTicket<'a> {
    mutex: &'a KeyedMutex,
    node_id: String,
    /// The signal that passes the mutex to this write; `None` once this write holds the mutex.
    waits_for: Option<oneshot::Receiver<()>>,
}

/// The mutex, held by one write. Dropping the guard passes the mutex to the next write.
pub(crate) struct KeyedGuard<'a>(KeyedTicket<'a>);

impl KeyedMutex {
    /// Takes a ticket in the queue of a `node.id`, synchronously, ahead of all later calls.
    #[cfg(test)]
    pub(crate) fn enter(&self, node_id: &str) -> KeyedTicket<'_> {
        self.enter_noting(node_id, || ()).0
    }

    /// Takes a ticket in the queue of a `node.id`, ahead of all later calls. Under the same lock,
    /// runs `note` to collect the evidence (known log positions) of the write.
    ///
    /// The two steps must be atomic. If write A takes its ticket before write B, B may replace A
    /// and every write that A may replace. If A collected its evidence after B took its ticket, A
    /// could replace a write C that was acknowledged after B arrived. As a result, B could replace
    /// C, although C is newer.
    pub(crate) fn enter_noting<T>(
        &self,
        node_id: &str,
        note: impl FnOnce() -> T,
    ) -> (KeyedTicket<'_>, T) {
        let mut by_node = lock(&self.by_node);
        let waits_for = match by_node.get_mut(node_id) {
            Some(queue) => {
                let (sender, receiver) = oneshot::channel();
                queue.waiting.push_back(sender);
                Some(receiver)
            }
            None => {
                by_node.insert(node_id.to_owned(), KeyQueue::default());
                None
            }
        };
        let noted = note();
        let ticket = KeyedTicket {
            mutex: self,
            node_id: node_id.to_owned(),
            waits_for,
        };
        (ticket, noted)
    }

    /// Passes the mutex to the next write that still waits.
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

impl<'a> KeyedTicket<'a> {
    /// Waits for the mutex. A write that stops waiting leaves the queue.
    pub(crate) async fn guard(mut self) -> KeyedGuard<'a> {
        if let Some(waits_for) = &mut self.waits_for {
            // An error cannot occur here: the sender is dropped unused only if this ticket is
            // dropped first.
            let _ = waits_for.await;
            self.waits_for = None;
        }
        KeyedGuard(self)
    }
}

impl Drop for KeyedTicket<'_> {
    fn drop(&mut self) {
        let holds_mutex = match &mut self.waits_for {
            None => true,
            Some(waits_for) => {
                waits_for.close();
                // The mutex may have been passed to this write just before it stopped waiting.
                waits_for.try_recv().is_ok()
            }
        };
        if holds_mutex {
            self.mutex.pass_on(&self.node_id);
        }
    }
}

impl KeyedGuard<'_> {
    /// Returns the log index of the last accepted write that was ahead of this write in the queue.
    /// Returns `None` if no write was accepted since the queue of this `node.id` was last empty.
    pub(crate) fn previous(&self) -> Option<u64> {
        let by_node = lock(&self.0.mutex.by_node);
        by_node
            .get(&self.0.node_id)
            .and_then(|queue| queue.accepted)
    }

    /// Records that this write is in the entry at `index` and was accepted.
    pub(crate) fn accepted(&self, index: u64) {
        if let Some(queue) = lock(&self.0.mutex.by_node).get_mut(&self.0.node_id) {
            queue.accepted = Some(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// The second write of a node id waits for the first, and a write of another node id does not.
    /// At the end the mutex has no entry left.
    #[tokio::test]
    async fn writes_of_one_node_take_turns() {
        let mutex = KeyedMutex::default();
        let first = mutex.enter("w1").guard().await;
        let mut second = Box::pin(mutex.enter("w1").guard());
        assert!((&mut second).now_or_never().is_none());
        assert!(mutex.enter("w2").guard().now_or_never().is_some());
        drop(first);
        drop(second.await);
        assert!(lock(&mutex.by_node).is_empty());
    }

    /// A write takes its ticket and collects its evidence under one lock. So later writes of a node
    /// id have at least the evidence of earlier writes.
    #[tokio::test]
    async fn a_place_is_taken_with_what_is_known() {
        let mutex = KeyedMutex::default();
        let (ticket, is_one_moment) =
            mutex.enter_noting("w1", || mutex.by_node.try_lock().is_err());
        drop(ticket.guard().await);
        assert!(is_one_moment, "another could take a ticket meanwhile");
    }

    /// A write whose client stops waiting leaves the queue, whether or not it already holds the
    /// mutex.
    #[tokio::test]
    async fn a_write_given_up_holds_nobody() {
        let mutex = KeyedMutex::default();
        let first = mutex.enter("w1").guard().await;
        let given_up = mutex.enter("w1").guard();
        let given_late = mutex.enter("w1").guard();
        let last = mutex.enter("w1").guard();
        drop(given_up);
        drop(first);
        drop(given_late);
        drop(last.now_or_never().expect("the mutex is passed on"));
        assert!(lock(&mutex.by_node).is_empty());
        assert!(mutex.enter("w1").guard().now_or_never().is_some());
    }

    /// Writes get the mutex in the order in which they took their tickets, regardless of when they
    /// began to wait. Each write learns the log index of the last accepted write ahead of it.
    #[tokio::test]
    async fn a_place_is_taken_at_once() {
        let mutex = KeyedMutex::default();
        let first = mutex.enter("w1").guard().await;
        let (second, third) = (mutex.enter("w1"), mutex.enter("w1"));
        let mut third = Box::pin(third.guard());
        assert!((&mut third).now_or_never().is_none());
        assert_eq!(first.previous(), None);
        first.accepted(7);
        drop(first);
        let second = second
            .guard()
            .now_or_never()
            .expect("the mutex is passed on");
        assert_eq!(second.previous(), Some(7));
        drop(second);
        let third = third.now_or_never().expect("the mutex is passed on");
        assert_eq!(third.previous(), Some(7), "the second was not accepted");
        drop(third);
        assert_eq!(mutex.enter("w1").guard().await.previous(), None);
    }
}
