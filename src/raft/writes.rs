//! Writes: what has arrived while the last batch was on its way becomes the next batch.
//!
//! - one batch of this node is in flight at a time, so writes of one `node.id` keep their order of arrival.
//! - a write that may have been applied is never proposed again.
//! - whoever holds a write drops it once its client no longer waits.

use super::crowd::{Crowd, Patience};
use super::group::Group;
use super::laggards;
use super::leader::{Leader, changed_from};
use super::peer::{Answer, CallError, Forwarded, Lane, Request, WriteResult};
use super::status::plight;
use super::types::Proposal;
use crate::clock::{self, Instant};
use crate::registry::{Batch, Command};
use openraft::errors::{ClientWriteError, RaftError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Writes waiting for a batch. Past it a write is refused at once and surely not applied.
const MAX_WAITING_WRITES: usize = 20_000;
/// What they may take together. The wire bounds what its clients send to this node; a leader takes
/// the writes of all nodes, and those of clients that no longer wait.
const MAX_WAITING_BYTES: usize = 128 << 20;
/// Maximum bytes of the commands of one entry or one forward: more would hold up replication on a
/// slow link.
const MAX_BATCH_BYTES: usize = 256 << 10;
/// The commands of one entry by count, so that applying it stays short.
const MAX_BATCH_COMMANDS: usize = 4_096;
/// Who misses a batch waits for as long as it takes. One that took longer than this waited for a disk or a network, and not for its turn
/// on a processor.
const PATIENCE: Patience = Patience {
    batches: 1,
    most: Duration::from_millis(5),
};
/// A write whose client waits for less than this is not sent any more: it could only come late.
const TOO_LATE: Duration = Duration::from_millis(20);
/// Between two tries while no leader is known, unless one appears first.
const RETRY_AFTER: Duration = Duration::from_millis(25);

/// The handle through which commands are proposed.
#[derive(Clone)]
pub(super) struct Writes {
    queue: mpsc::Sender<Write>,
    /// What all writes take that are not decided.
    bytes: Arc<AtomicUsize>,
}

/// One command with the client that waits for it.
pub(super) struct Write {
    command: Command,
    deadline: Instant,
    reply: oneshot::Sender<WriteResult>,
    _room: Room,
}

/// What a write takes of the bytes of all; given back when dropped.
struct Room {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    /// Takes it, and says whether all of them still fit.
    fn take(all: &Arc<AtomicUsize>, bytes: usize) -> (Room, bool) {
        let before = all.fetch_add(bytes, Ordering::Relaxed);
        let room = Room {
            all: all.clone(),
            bytes,
        };
        (room, before == 0 || before + bytes <= MAX_WAITING_BYTES)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Write {
    fn answer(self, result: WriteResult) {
        // Whoever has stopped waiting needs no answer.
        let _ = self.reply.send(result);
    }
}

impl Writes {
    /// How many wait for a batch.
    pub(super) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    pub(super) fn new() -> (Writes, WritesToRun) {
        let (queue, waiting) = mpsc::channel(MAX_WAITING_WRITES);
        let bytes = Arc::default();
        (
            Writes { queue, bytes },
            WritesToRun {
                waiting,
                held: Vec::new(),
                crowd: Crowd::new(PATIENCE),
            },
        )
    }

    /// Queues a command in order of arrival. The receiver gets what came of it.
    pub(super) fn propose(
        &self,
        command: Command,
        deadline: Instant,
    ) -> oneshot::Receiver<WriteResult> {
        let (reply, result) = oneshot::channel();
        let (room, fits) = Room::take(&self.bytes, size_of(&command));
        let write = Write {
            command,
            deadline,
            reply,
            _room: room,
        };
        let queued = match fits {
            true => self.queue.try_send(write).map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(write)
                | mpsc::error::TrySendError::Closed(write) => write,
            }),
            false => Err(write),
        };
        if let Err(write) = queued {
            write.answer(WriteResult::NotApplied(
                "too many writes are waiting on this node".to_owned(),
            ));
        }
        result
    }

    /// Proposes a command and waits for what came of it, a little past its deadline.
    pub(super) async fn write(&self, command: Command, deadline: Instant) -> WriteResult {
        let result = self.propose(command, deadline);
        match tokio::time::timeout_at(deadline + TOO_LATE, result).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => WriteResult::Unknown("this node is stopping".to_owned()),
            Err(_) => WriteResult::Unknown(
                "no majority of the group confirmed the write in time".to_owned(),
            ),
        }
    }
}

/// The receiving half, to be driven by [`WritesToRun::run`].
pub(super) struct WritesToRun {
    waiting: mpsc::Receiver<Write>,
    /// Taken from the queue, for the next batch.
    held: Vec<Write>,
    crowd: Crowd,
}

impl WritesToRun {
    /// Sends batch after batch until the group is gone.
    pub(super) async fn run(mut self, group: Arc<Group>) {
        loop {
            tokio::select! {
                batch = self.gather() => match batch {
                    Some(batch) => {
                        let decided = send(&group, batch).await;
                        // Counted before, since whoever is answered may be back at once.
                        let waiting = self.held.len() + self.waiting.len();
                        self.crowd.answered(decided.len(), waiting);
                        answer(decided);
                    }
                    None => return,
                },
                () = group.stopping() => return,
            }
        }
    }

    /// The next batch: those who wait, those who come as soon as the runtime has read what its sockets hold, and those who are
    /// expected. The busier it is, the more go along. Cancel-safe.
    async fn gather(&mut self) -> Option<Vec<Write>> {
        if self.held.is_empty() {
            let first = self.waiting.recv().await?;
            self.held.push(first);
        }
        tokio::task::yield_now().await;
        let mut measure = Measure::default();
        let (held, waiting) = (&mut self.held, &mut self.waiting);
        let is_full = |held: &[Write]| measure.is_full(held);
        self.crowd.gather(held, waiting, is_full).await;
        // Whoever came last may not have been measured.
        measure.is_full(&self.held);
        let rest = self.held.split_off(measure.fitting.max(1));
        Some(std::mem::replace(&mut self.held, rest))
    }
}

/// How many of the writes at hand make a batch, from the first on.
#[derive(Default)]
struct Measure {
    counted: usize,
    bytes: usize,
    fitting: usize,
}

impl Measure {
    /// Measures those that are new among all at hand, and says whether no more of them go into the batch.
    fn is_full(&mut self, writes: &[Write]) -> bool {
        for write in writes.get(self.counted..).unwrap_or_default() {
            self.counted += 1;
            self.bytes += size_of(&write.command);
            if self.bytes <= MAX_BATCH_BYTES {
                self.fitting = self.counted;
            }
        }
        self.counted >= MAX_BATCH_COMMANDS || self.bytes >= MAX_BATCH_BYTES
    }
}

/// At least the bytes of a command in an entry, without encoding it.
fn size_of(command: &Command) -> usize {
    /// Variant, indexes, digest and lengths: what a command costs beside its texts.
    const BASE_BYTES: usize = 64;
    /// The most that an `Arrival` takes.
    const ARRIVAL_BYTES: usize = 64;
    /// The most that it takes beside a digest, whose room is in the base: an entry is to hold many
    /// renewals.
    const RENEWAL_ARRIVAL_BYTES: usize = 32;
    const RAFT_ID_BYTES: usize = 12;
    let texts = match command {
        Command::Announce { announcement, .. } | Command::OrderedAnnounce { announcement, .. } => {
            let names =
                announcement.node_id.len() + announcement.pool.len() + announcement.location.len();
            // Packed, a service is a few bytes longer than in an entry.
            names + announcement.services.packed_bytes()
        }
        Command::Withdraw { node_id, .. }
        | Command::OrderedWithdraw { node_id, .. }
        | Command::Renew { node_id, .. }
        | Command::OrderedRenew { node_id, .. } => node_id.len(),
        Command::AddStatic(service) => {
            service.id.len()
                + service.service_type.len()
                + service.pool.len()
                + service.location.len()
                + service.properties.packed_bytes()
        }
        Command::RemoveStatic { id } => id.len(),
        Command::Retire { raft_ids } => raft_ids.len() * RAFT_ID_BYTES,
        Command::Tick { .. } | Command::Level(_) => 0,
    };
    let arrival = match command {
        Command::OrderedAnnounce { .. } | Command::OrderedWithdraw { .. } => ARRIVAL_BYTES,
        Command::OrderedRenew { .. } => RENEWAL_ARRIVAL_BYTES,
        _ => 0,
    };
    BASE_BYTES + arrival + texts
}

/// What one try came to.
enum Tried {
    /// It is known what came of every write.
    Decided(Decided),
    /// Surely nothing was applied: the writes go to whoever leads next.
    NotApplied(Vec<Write>, String),
}

/// Writes with what came of each, for those who wait.
type Decided = Vec<(Write, WriteResult)>;

/// Tries until every write of a batch is decided, or its client no longer waits.
async fn send(group: &Group, mut batch: Vec<Write>) -> Decided {
    let mut reason = String::from("its client no longer waits");
    loop {
        batch = drop_overdue(batch, &reason);
        if batch.is_empty() {
            return Decided::new();
        }
        let mut view = group.view();
        let leader = view.borrow_and_update().leader.clone();
        let tried = match leader {
            None => Tried::NotApplied(batch, plight(group)),
            Some(leader) if leader.id == group.raft_id() => propose(group, batch).await,
            Some(leader) => forward(group, &leader, batch).await,
        };
        match tried {
            Tried::Decided(decided) => return decided,
            Tried::NotApplied(again, why) => {
                batch = again;
                reason = why;
                // Either way it is tried again, as long as a client waits; but nothing changes in a group that has ended.
                if let Ok(Err(_)) = tokio::time::timeout(RETRY_AFTER, view.changed()).await {
                    let stopping = WriteResult::NotApplied("this node is stopping".to_owned());
                    return all(batch, &stopping);
                }
            }
        }
    }
}

/// The same came of all.
fn all(batch: Vec<Write>, result: &WriteResult) -> Decided {
    batch
        .into_iter()
        .map(|write| (write, result.clone()))
        .collect()
}

fn drop_overdue(batch: Vec<Write>, reason: &str) -> Vec<Write> {
    let soon = clock::now() + TOO_LATE + RETRY_AFTER;
    let (kept, overdue): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|write| write.deadline > soon);
    for write in overdue {
        write.answer(WriteResult::NotApplied(reason.to_owned()));
    }
    kept
}

fn last_deadline(batch: &[Write]) -> Instant {
    batch
        .iter()
        .map(|write| write.deadline)
        .max()
        .unwrap_or_else(clock::now)
}

async fn propose(group: &Group, batch: Vec<Write>) -> Tried {
    if let Err(reason) = group.may_propose() {
        return Tried::NotApplied(batch, reason);
    }
    let commands = batch.iter().map(|write| write.command.clone()).collect();
    let proposal = Proposal(Arc::new(group.batch(commands)));
    let limit = last_deadline(&batch);
    let written = tokio::time::timeout_at(limit, group.raft.client_write(proposal)).await;
    let unknown = |batch, why| Tried::Decided(all(batch, &WriteResult::Unknown(why)));
    match written {
        Ok(Ok(response)) => {
            let index = response.log_id.index();
            laggards::tell(group, index, batch.len()).await;
            let done = |(write, outcome)| (write, WriteResult::Done { index, outcome });
            Tried::Decided(batch.into_iter().zip(response.data.0).map(done).collect())
        }
        Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => {
            tracing::debug!(?forward, "not proposed");
            Tried::NotApplied(batch, plight(group))
        }
        Ok(Err(error)) => {
            let why = format!("the leader changed while it was written: {error}");
            unknown(batch, why)
        }
        Err(_) => {
            let why = "no majority of the group confirmed the write in time".to_owned();
            unknown(batch, why)
        }
    }
}

async fn forward(group: &Group, leader: &Leader, batch: Vec<Write>) -> Tried {
    let now = clock::now();
    let limit = last_deadline(&batch).duration_since(now);
    let writes = batch
        .iter()
        .map(|write| {
            (
                write.deadline.duration_since(now).as_millis() as u32,
                write.command.clone(),
            )
        })
        .collect();
    let mut view = group.view();
    let request = Request::Forward(Forwarded { writes });
    let called = tokio::select! {
        called = group.ask_leader(leader, Lane::Writes, request, limit) => called,
        () = changed_from(&mut view, leader) => Err(CallError::NoAnswer("the leader changed".to_owned())),
    };
    let name = &leader.member.node_id;
    match called {
        Ok(Answer::Forward(results)) if results.len() == batch.len() => {
            let mut again = Vec::new();
            let mut decided = Decided::new();
            let mut reason = String::new();
            for (write, result) in batch.into_iter().zip(results) {
                match result {
                    WriteResult::NotApplied(why) => {
                        reason = why;
                        again.push(write);
                    }
                    result => decided.push((write, result)),
                }
            }
            if again.is_empty() {
                return Tried::Decided(decided);
            }
            answer(decided);
            Tried::NotApplied(again, reason)
        }
        Err(error @ (CallError::NotSent(_) | CallError::Refused { .. })) => Tried::NotApplied(
            batch,
            format!("the leader {name} cannot be reached: {error}"),
        ),
        Ok(_) => fail(batch, format!("the leader {name} answered something else")),
        Err(error) => fail(
            batch,
            format!("the write was on its way to the leader {name}: {error}"),
        ),
    }
}

fn fail(batch: Vec<Write>, reason: String) -> Tried {
    Tried::Decided(all(batch, &WriteResult::Unknown(reason)))
}

fn answer(decided: Decided) {
    for (write, result) in decided {
        write.answer(result);
    }
}

/// The leader's part of a forward: each write takes its place in this node's queue, in order.
pub(super) async fn take_forwarded(group: &Group, forwarded: Forwarded) -> Vec<WriteResult> {
    let now = clock::now();
    if !group.leads() {
        return vec![
            WriteResult::NotApplied("this node does not lead".to_owned());
            forwarded.writes.len()
        ];
    }
    let waiting: Vec<_> = forwarded
        .writes
        .into_iter()
        .map(|(waits_ms, command)| {
            let deadline = now + Duration::from_millis(u64::from(waits_ms));
            (deadline, group.writes.propose(command, deadline))
        })
        .collect();
    let mut results = Vec::with_capacity(waiting.len());
    for (deadline, result) in waiting {
        results.push(match tokio::time::timeout_at(deadline, result).await {
            Ok(Ok(result)) => result,
            _ => WriteResult::Unknown("the leader did not hear from a majority in time".to_owned()),
        });
    }
    results
}

/// Wraps commands in a batch with the settings that `apply` reads, so that a rolling change of
/// configuration cannot make replicas diverge.
pub(super) fn batch_of(commands: Vec<Command>, max_age: Duration) -> Batch {
    Batch {
        max_age_ms: max_age.as_millis() as u64,
        step_ms: super::ticker::STEP.as_millis() as u64,
        commands,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Announcement, Service};
    use crate::registry::{Arrival, Leadership, Tail};
    use std::collections::BTreeMap;

    fn name() -> String {
        "n".repeat(1_000)
    }

    fn commands() -> Vec<Command> {
        let services = (0..3).map(|_| Service {
            id: name(),
            service_type: name(),
            properties: BTreeMap::from([(name(), "v".repeat(40_000)), ("k".to_owned(), name())]),
        });
        let announcement = Announcement {
            node_id: name(),
            pool: name(),
            location: name(),
            services: services.collect(),
        };
        vec![
            Command::OrderedAnnounce {
                arrival: largest_arrival(),
                announcement: announcement.clone(),
            },
            Command::Announce {
                seen: u64::MAX,
                announcement,
            },
            Command::Withdraw {
                seen: u64::MAX,
                node_id: name(),
            },
            Command::OrderedWithdraw {
                arrival: largest_arrival(),
                node_id: name(),
            },
            renewal(),
            Command::OrderedRenew {
                arrival: largest_arrival(),
                node_id: name(),
                digest: u128::MAX,
            },
            Command::RemoveStatic { id: name() },
            Command::Retire {
                raft_ids: vec![u64::MAX; 9],
            },
            Command::Tick {
                advance_ms: u64::MAX,
                grace_ms: Some(u64::MAX),
            },
        ]
    }

    fn largest_arrival() -> Arrival {
        Arrival {
            committed: u64::MAX,
            tail: Some(Tail {
                leadership: Leadership {
                    term: u64::MAX,
                    node: u64::MAX,
                },
                index: u64::MAX,
            }),
            previous: Some(u64::MAX),
            until_ms: Some(u64::MAX),
        }
    }

    fn renewal() -> Command {
        Command::Renew {
            seen: u64::MAX,
            node_id: name(),
            digest: u128::MAX,
        }
    }

    fn encoded(command: &Command) -> usize {
        postcard::to_stdvec(command).expect("it encodes").len()
    }

    /// The estimate that limits an entry is never below what the entry takes.
    #[test]
    fn a_command_takes_no_more_than_its_estimate() {
        for command in commands() {
            let bytes = encoded(&command);
            assert!(size_of(&command) >= bytes, "{bytes}: {command:?}");
        }
    }

    /// Writes that take too many bytes together are refused, surely not applied, long before their
    /// number is; those that are decided leave room for others.
    #[tokio::test]
    async fn waiting_writes_keep_a_limit_in_bytes() {
        let large = || Command::Withdraw {
            seen: 0,
            node_id: "n".repeat(8 << 20),
        };
        let (writes, mut batches) = Writes::new();
        let deadline = clock::now() + Duration::from_secs(1);
        let mut waiting: Vec<_> = (0..15).map(|_| writes.propose(large(), deadline)).collect();
        let mut refused = [
            writes.propose(large(), deadline),
            writes.propose(large(), deadline),
        ];
        assert!(matches!(
            refused[1].try_recv(),
            Ok(WriteResult::NotApplied(_))
        ));
        assert!(waiting.iter_mut().all(|result| result.try_recv().is_err()));
        let batch = batches.gather().await.expect("writes wait");
        answer(all(batch, &WriteResult::NotApplied(String::new())));
        let mut later = writes.propose(renewal(), deadline);
        assert!(later.try_recv().is_err(), "there is room again");
    }

    /// Renewals of nodes with long names fill an entry by their bytes, long before their count does; the one
    /// that did not fit is first in the next.
    #[tokio::test]
    async fn a_batch_keeps_its_limit_in_bytes() {
        let (writes, mut batches) = Writes::new();
        let deadline = clock::now() + Duration::from_secs(1);
        let waiting: Vec<_> = (0..600)
            .map(|_| writes.propose(renewal(), deadline))
            .collect();
        let mut taken = 0;
        while taken < waiting.len() {
            let batch = batches.gather().await.expect("writes wait");
            let bytes: usize = batch.iter().map(|write| encoded(&write.command)).sum();
            assert!(bytes <= MAX_BATCH_BYTES, "{bytes}");
            taken += batch.len();
        }
        assert_eq!(taken, waiting.len());
    }
}
