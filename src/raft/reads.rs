//! Linearizable reads: one ReadIndex round in flight, shared by every read that waited before it started. A follower's round
//! asks the leader, with its own vote (see [`super::vouching`]); the leader's is one of heartbeats.
//!
//! - a read joins only a round that starts after it arrived.
//! - a retry is a new round: an index serves only reads that were waiting before that index was asked for
//!   (reusing one is etcd's stale read #20418).
//! - a read is answered by its deadline: a round lasts no longer than the first of those that it is for, and those who wait for the next
//!   one have time left after it. So one timer a round is enough.

use super::crowd::{Crowd, Patience};
use super::group::Group;
use super::leader::{Leader, changed_from};
use super::peer::{Answer, Lane, Request};
use super::status::plight;
use super::types::{RaftId, Vote};
use super::{Unavailable, errors, vouching};
use crate::clock::{self, Instant};
use crate::planted::{Bug, is_planted};
use openraft::{LinearizerOption, ReadPolicy};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A round is many tasks' turns and a lookup's answer is one, so it is cheaper to wait for the crowd than to ask twice.
const PATIENCE: Patience = Patience {
    batches: 16,
    most: Duration::from_millis(8),
};
/// Reads waiting for a round. Past it a read is refused at once: the node is far over what it can serve.
const MAX_WAITING_READS: usize = 20_000;
/// A round that takes longer is given up for a new one: a stopped leader must not hold the node's only round (A6).
const ROUND_TIMEOUT: Duration = Duration::from_millis(500);
/// Between two failed rounds, unless the leader changes first.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// The handle through which reads wait.
#[derive(Clone)]
pub(super) struct ReadRounds {
    waiting: mpsc::Sender<Waiter>,
    started: clock::Instant,
    /// Milliseconds after `started` of the last read that was served, plus one; 0 when none was.
    last_served: Arc<AtomicU64>,
}

struct Waiter {
    deadline: Instant,
    reply: oneshot::Sender<Result<u64, String>>,
}

impl ReadRounds {
    pub(super) fn new() -> (ReadRounds, RoundsToRun) {
        let (waiting, queue) = mpsc::channel(MAX_WAITING_READS);
        let rounds = ReadRounds {
            waiting,
            started: clock::now(),
            last_served: Arc::default(),
        };
        let to_run = RoundsToRun {
            queue,
            crowd: Crowd::new(PATIENCE),
        };
        (rounds, to_run)
    }

    /// An index that, once applied here, shows everything acknowledged before this call. Ends by its deadline, which is to be longer
    /// away than a round takes.
    pub(super) async fn index(&self, deadline: Instant) -> Result<u64, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.waiting
            .try_send(Waiter { deadline, reply })
            .map_err(|_| errors::unavailable("too many lookups are waiting on this node"))?;
        match answer.await {
            Ok(result) => result.map_err(errors::unavailable),
            Err(_) => Err(errors::unavailable("this node is stopping")),
        }
    }

    /// How long ago a read was last served.
    pub(super) fn since_served(&self) -> Option<Duration> {
        let at_ms = self.last_served.load(Ordering::Relaxed).checked_sub(1)?;
        Some(
            clock::now()
                .duration_since(self.started)
                .saturating_sub(Duration::from_millis(at_ms)),
        )
    }

    /// A read was served from start to end: confirmed by a round, and applied here.
    pub(super) fn note_served(&self) {
        let at_ms = clock::now().duration_since(self.started).as_millis() as u64;
        self.last_served.store(at_ms + 1, Ordering::Relaxed);
    }
}

/// The receiving half, to be driven by [`RoundsToRun::run`].
pub(super) struct RoundsToRun {
    queue: mpsc::Receiver<Waiter>,
    crowd: Crowd,
}

impl RoundsToRun {
    /// Runs rounds while anyone waits, until the group is gone.
    pub(super) async fn run(mut self, group: Arc<Group>) {
        let mut waiters: Vec<Waiter> = Vec::new();
        loop {
            if waiters.is_empty() {
                tokio::select! {
                    waiter = self.queue.recv() => match waiter {
                        Some(waiter) => waiters.push(waiter),
                        None => return,
                    },
                    () = group.stopping() => return,
                }
            }
            self.gather(&mut waiters).await;
            let confirmed = tokio::select! {
                confirmed = in_time(&waiters, round(&group)) => confirmed,
                // openraft is gone, and would log an error for each further round.
                () = group.stopping() => return,
            };
            match confirmed {
                Ok(index) => {
                    while is_planted(Bug::ReadIndexReused)
                        && let Ok(waiter) = self.queue.try_recv()
                    {
                        waiters.push(waiter);
                    }
                    self.crowd.answered(waiters.len(), self.queue.len());
                    for waiter in waiters.drain(..) {
                        // Whoever has stopped waiting needs no answer.
                        let _ = waiter.reply.send(Ok(index));
                    }
                }
                Err(reason) => {
                    drop_overdue(&mut waiters, &reason);
                    wait_for_a_change(&group).await;
                }
            }
        }
    }

    /// Takes those who wait, those who come as soon as the runtime has read what its sockets hold, and those who are expected: the
    /// busier it is, the more a round is for.
    async fn gather(&mut self, waiters: &mut Vec<Waiter>) {
        tokio::task::yield_now().await;
        let (crowd, queue) = (&mut self.crowd, &mut self.queue);
        let is_full = |waiters: &[Waiter]| waiters.len() >= MAX_WAITING_READS;
        crowd.gather(waiters, queue, is_full).await;
    }
}

/// What came of a round, by the time at which the first of those who wait for it must be answered.
async fn in_time(
    waiters: &[Waiter],
    round: impl Future<Output = Result<u64, String>>,
) -> Result<u64, String> {
    let first = waiters.iter().map(|waiter| waiter.deadline).min();
    let until = first.unwrap_or_else(clock::now);
    tokio::time::timeout_at(until, round)
        .await
        .unwrap_or_else(|_| Err("no majority of the group confirmed the lookup in time".to_owned()))
}

fn drop_overdue(waiters: &mut Vec<Waiter>, reason: &str) {
    let soon = clock::now() + RETRY_AFTER;
    for waiter in waiters.extract_if(.., |waiter| waiter.deadline <= soon) {
        let _ = waiter.reply.send(Err(reason.to_owned()));
    }
}

async fn wait_for_a_change(group: &Group) {
    let mut view = group.view();
    view.mark_unchanged();
    // Either way the next round is tried.
    let _ = tokio::time::timeout(RETRY_AFTER, view.changed()).await;
}

async fn round(group: &Group) -> Result<u64, String> {
    let mut view = group.view();
    let Some(leader) = view.borrow_and_update().leader.clone() else {
        return Err(plight(group));
    };
    let asked = async {
        match leader.id == group.raft_id() {
            true => confirm(group).await,
            false => ask(group, &leader).await,
        }
    };
    tokio::select! {
        result = asked => result,
        () = changed_from(&mut view, &leader) => Err("the leader changed".to_owned()),
    }
}

async fn ask(group: &Group, leader: &Leader) -> Result<u64, String> {
    // Now and not before: it speaks for the reads that this round is for.
    let vote = group.store().vote();
    match group
        .ask_leader(
            leader,
            Lane::Control,
            Request::ReadIndex(vote),
            ROUND_TIMEOUT,
        )
        .await
    {
        Ok(Answer::ReadIndex(result)) => result,
        Ok(_) => Err(format!(
            "the leader {} answered something else",
            leader.member.node_id
        )),
        Err(error) => Err(format!(
            "the leader {} cannot be asked: {error}",
            leader.member.node_id
        )),
    }
}

/// The leader's part of a follower's round.
pub(super) async fn confirm_for(
    group: &Group,
    from: RaftId,
    vote: Option<Vote>,
) -> Result<u64, String> {
    if let Some(vote) = vote
        && !is_planted(Bug::LeaseRead)
        && let Some(index) = vouching::index(group, from, vote).await?
    {
        return Ok(index);
    }
    confirm(group).await
}

/// Confirms that this node leads: a heartbeat round that starts after this call confirms that it still leads.
pub(super) async fn confirm(group: &Group) -> Result<u64, String> {
    let policy = match is_planted(Bug::LeaseRead) {
        true => ReadPolicy::LeaseRead,
        false => ReadPolicy::ReadIndex,
    };
    let option = LinearizerOption::from(policy).with_wait_timeout(ROUND_TIMEOUT);
    match group.raft.get_read_linearizer(option).await {
        Ok(linearizer) => Ok(linearizer.read_log_id().index()),
        Err(error) => {
            tracing::debug!(%error, "a read round failed");
            Err(plight(group))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(deadline: Instant) -> (Waiter, oneshot::Receiver<Result<u64, String>>) {
        let (reply, answer) = oneshot::channel();
        (Waiter { deadline, reply }, answer)
    }

    /// A round that never ends is over when the first reader must be answered, and only that one is.
    #[tokio::test(start_paused = true)]
    async fn a_read_is_answered_by_its_deadline() {
        let began = clock::now();
        let (late, mut late_answer) = waiter(began + Duration::from_secs(9));
        let (soon, mut soon_answer) = waiter(began + Duration::from_secs(2));
        let mut waiters = vec![late, soon];
        let reason = in_time(&waiters, std::future::pending())
            .await
            .expect_err("it never ends");
        let took = clock::now().duration_since(began);
        assert!(took < Duration::from_millis(2_010), "{took:?}");
        drop_overdue(&mut waiters, &reason);
        assert_eq!(waiters.len(), 1);
        assert!(matches!(soon_answer.try_recv(), Ok(Err(_))));
        assert!(late_answer.try_recv().is_err(), "it still waits");
    }
}
