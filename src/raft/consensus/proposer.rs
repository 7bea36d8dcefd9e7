//! Proposes batches of writes if this node leads, and otherwise forwards them to the leader.
//!
//! A write that may have been applied is never proposed again.

use super::commit_notice;
use crate::clock::{self, Instant};
use crate::raft::group::Group;
use crate::raft::group::view::{Leader, changed_from};
use crate::raft::health::unavailable_reason;
use crate::raft::log_target;
use crate::raft::queue::write_queue::{
    ANSWER_MARGIN, Completed, PendingWrite, WriteWorker, all, answer,
};
use crate::raft::transport::{
    CallError, CallFailure, Channel, Forwarded, Request, Response, WriteResult,
};
use crate::registry::Command;
use crate::storage::types::Proposal;
use openraft::errors::{ClientWriteError, RaftError};
use std::sync::Arc;
use std::time::Duration;

/// Time between two attempts while no leader is known. The next attempt is earlier if a leader
/// appears.
const RETRY_AFTER: Duration = Duration::from_millis(25);

/// Proposes or forwards one batch of writes after another, until the group ends.
pub(crate) async fn run(group: Arc<Group>, batches: WriteWorker) {
    batches
        .run(|batch| send(&group, batch), group.stopping())
        .await;
}

/// The result of one attempt to propose or forward a batch.
enum Attempt {
    /// Every write has its final result, which may be `Unknown`.
    Decided(Completed),
    /// The writes were certainly not applied, and can be sent to the next leader. The text gives
    /// the reason.
    NotApplied(Vec<PendingWrite>, String),
}

/// Proposes a batch if this node leads, and otherwise forwards the batch to the leader. Retries
/// until every write is decided or its client no longer waits.
async fn send(group: &Group, mut batch: Vec<PendingWrite>) -> Completed {
    let mut reason = String::from("the write was not proposed in time");
    loop {
        batch = drop_overdue(batch, &reason);
        if batch.is_empty() {
            return Completed::new();
        }
        let mut view = group.view();
        let leader = view.borrow_and_update().leader.clone();
        let attempt = match leader {
            None => Attempt::NotApplied(batch, unavailable_reason(group).to_string()),
            Some(leader) if leader.id == group.raft_id() => propose(group, batch).await,
            Some(leader) => {
                let forwarded = drop_own(batch);
                if forwarded.is_empty() {
                    return Completed::new();
                }
                forward(group, &leader, forwarded).await
            }
        };
        match attempt {
            Attempt::Decided(decided) => return decided,
            Attempt::NotApplied(again, why) => {
                batch = again;
                reason = why;
                // A change of the leader and a timeout both lead to a retry while a client waits.
                // An error means that the group has ended, so a retry would be useless.
                if let Ok(Err(_)) = tokio::time::timeout(RETRY_AFTER, view.changed()).await {
                    let stopping = WriteResult::NotApplied("this node is stopping".to_owned());
                    return all(batch, &stopping);
                }
            }
        }
    }
}

/// Answers the writes whose deadline is too close for another attempt, and returns the others.
fn drop_overdue(batch: Vec<PendingWrite>, reason: &str) -> Vec<PendingWrite> {
    let soon = clock::now() + ANSWER_MARGIN + RETRY_AFTER;
    let (kept, overdue): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|write| write.deadline > soon);
    for write in overdue {
        write.answer(WriteResult::NotApplied(reason.to_owned()));
    }
    kept
}

/// Answers the commands that this node proposed while it was the leader, and returns the writes of
/// clients.
fn drop_own(batch: Vec<PendingWrite>) -> Vec<PendingWrite> {
    let (of_clients, own): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .partition(|write| is_of_client(&write.command));
    for command in own {
        command.answer(WriteResult::NotApplied(
            "this node does not lead any more".to_owned(),
        ));
    }
    of_clients
}

/// Returns the latest deadline of the writes in a batch. An attempt ends at this deadline.
fn last_deadline(batch: &[PendingWrite]) -> Instant {
    batch
        .iter()
        .map(|write| write.deadline)
        .max()
        .unwrap_or_else(clock::now)
}

/// Proposes a batch as one log entry on this node, which leads, and waits until the entry is
/// committed and applied.
async fn propose(group: &Group, batch: Vec<PendingWrite>) -> Attempt {
    if let Err(full) = group.check_disk_space() {
        return Attempt::NotApplied(batch, full.to_string());
    }
    let commands = batch.iter().map(|write| write.command.clone()).collect();
    let proposal = Proposal(Arc::new(group.batch(commands)));
    let limit = last_deadline(&batch);
    let written = tokio::time::timeout_at(limit, group.raft.client_write(proposal)).await;
    let unknown = |batch, why| Attempt::Decided(all(batch, &WriteResult::Unknown(why)));
    match written {
        Ok(Ok(response)) => {
            let index = response.log_id.index();
            commit_notice::send(group, index, batch.len()).await;
            let done = |(write, outcome)| (write, WriteResult::Done { index, outcome });
            Attempt::Decided(batch.into_iter().zip(response.data.0).map(done).collect())
        }
        Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => {
            tracing::debug!(target: log_target::WRITES, ?forward, "not proposed");
            Attempt::NotApplied(batch, unavailable_reason(group).to_string())
        }
        Ok(Err(error)) => {
            let why = format!("the leader changed while the write was in progress: {error}");
            unknown(batch, why)
        }
        Err(_) => {
            let why = "no majority of the group confirmed the write in time".to_owned();
            unknown(batch, why)
        }
    }
}

/// Forwards a batch to the leader and waits for the result of each write.
async fn forward(group: &Group, leader: &Leader, batch: Vec<PendingWrite>) -> Attempt {
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
        called = group.ask_leader(leader, Channel::Writes, request, limit) => called,
        () = changed_from(&mut view, leader) =>
            Err(CallError::NoAnswer(CallFailure::LeaderChanged)),
    };
    let name = &leader.member.node_id;
    match called {
        Ok(Response::Forward(results)) if results.len() == batch.len() => {
            let mut again = Vec::new();
            let mut decided = Completed::new();
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
                return Attempt::Decided(decided);
            }
            answer(decided);
            Attempt::NotApplied(again, reason)
        }
        Err(error @ (CallError::NotSent(_) | CallError::Refused { .. })) => Attempt::NotApplied(
            batch,
            format!("the leader {name} cannot be reached: {error}"),
        ),
        Ok(_) => fail(
            batch,
            format!("the leader {name} sent an unexpected answer"),
        ),
        Err(error) => fail(
            batch,
            format!("the write was sent to the leader {name}, but not confirmed: {error}"),
        ),
    }
}

/// Returns the result `Unknown` for each write of a batch, since the writes may have been applied.
fn fail(batch: Vec<PendingWrite>, reason: String) -> Attempt {
    Attempt::Decided(all(batch, &WriteResult::Unknown(reason)))
}

/// Handles a forwarded batch on the leader: queues each write in order and collects the results.
pub(crate) async fn take_forwarded(group: &Group, forwarded: Forwarded) -> Vec<WriteResult> {
    let now = clock::now();
    if !group.leads() {
        return vec![
            WriteResult::NotApplied("this node is not the leader".to_owned());
            forwarded.writes.len()
        ];
    }
    let waiting: Vec<_> = forwarded
        .writes
        .into_iter()
        .map(|(waits_ms, command)| {
            let deadline = now + Duration::from_millis(u64::from(waits_ms));
            let proposed = is_of_client(&command);
            let proposed = proposed.then(|| group.write_queue.propose(command, deadline));
            (deadline, proposed)
        })
        .collect();
    let mut results = Vec::with_capacity(waiting.len());
    for (deadline, proposed) in waiting {
        let Some(result) = proposed else {
            results.push(WriteResult::NotApplied(
                "only the leader itself proposes this command".to_owned(),
            ));
            continue;
        };
        results.push(match tokio::time::timeout_at(deadline, result).await {
            Ok(Ok(result)) => result,
            _ => WriteResult::Unknown("the leader did not hear from a majority in time".to_owned()),
        });
    }
    results
}

/// Returns whether a command is a write of a client. The leader accepts only such commands from
/// other members, and proposes all other commands itself. A forwarded command of another kind could
/// remove a member.
fn is_of_client(command: &Command) -> bool {
    match command {
        Command::Announce { .. }
        | Command::Withdraw { .. }
        | Command::Renew { .. }
        | Command::OrderedAnnounce { .. }
        | Command::OrderedWithdraw { .. }
        | Command::OrderedRenew { .. }
        | Command::AddStatic(_)
        | Command::RemoveStatic { .. } => true,
        Command::Tick { .. } | Command::Retire { .. } | Command::Level(_) => false,
    }
}
