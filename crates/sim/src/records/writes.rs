//! The writes of clients and their times, and the check that the log orders them correctly.
//!
//! Several clients write one node id through different hosts. `quorate_checker::certificate` checks
//! that no write takes effect after an acknowledged write of the same node id that began later. A
//! node receives a write in the same step in which the client begins the write. The time of the
//! beginning is therefore also recorded as the time of arrival.
//!
//! A write is checked only if it began after the group had agreed on a certain feature level of
//! commands ([`History::ordered_from`]). From this level on, each write carries its `Arrival` (the
//! receiving node's knowledge of the log when the write arrived).

use crate::records::answers::SimRequest;
use crate::records::history::{History, TYPE};
use quorate::raft::WriteError;
use quorate::registry::{Command, Outcome};
use quorate_checker::MaxAge;
use quorate_checker::certificate::{Violation, certify};
use quorate_checker::history::{self as seen, Input, Operation};
use quorate_checker::log::{Applied, CommittedLog, LogEntry};
use std::collections::BTreeMap;
use std::time::Duration;

/// The pool of all workers.
const POOL: &str = "general";

/// Every write of a run.
#[derive(Debug, Default)]
pub struct RecordedWrites {
    operations: Vec<Operation>,
    /// The number of writes in progress, by node id.
    underway: BTreeMap<String, usize>,
    /// The number of writes that began while another write of the same node id was in progress.
    pub contended: usize,
}

impl RecordedWrites {
    /// Records that a client requests a write from a host. Returns the number of the write.
    pub fn begin(&mut self, host: usize, request: &SimRequest, now: Duration) -> usize {
        let underway = self
            .underway
            .entry(request.node_id().to_owned())
            .or_default();
        self.contended += usize::from(*underway > 0);
        *underway += 1;
        let number = self.operations.len();
        self.operations.push(Operation {
            client: number as u32,
            server: host as u32,
            call_ns: now.as_nanos() as u64,
            arrived_ns: Some(now.as_nanos() as u64),
            return_ns: None,
            input: input_of(request),
            outcome: seen::RequestOutcome::Unknown,
            index: None,
        });
        number
    }

    /// Records the response to the client.
    pub fn end(&mut self, number: usize, result: &Result<u64, WriteError>, now: Duration) {
        self.leave(number);
        let operation = &mut self.operations[number];
        operation.return_ns = Some(now.as_nanos() as u64);
        match result {
            Ok(index) => {
                operation.outcome = seen::RequestOutcome::Acked;
                operation.index = Some(*index);
            }
            Err(
                WriteError::NotApplied(_) | WriteError::Refused(_) | WriteError::NotPermitted(_),
            ) => {
                operation.outcome = seen::RequestOutcome::Refused;
            }
            Err(WriteError::Unknown(_)) => {}
        }
    }

    /// Records that a write is no longer in progress. If its result was not recorded with
    /// [`RecordedWrites::end`] (for example because the host's process was killed), the outcome
    /// stays unknown.
    pub fn leave(&mut self, number: usize) {
        let node_id = self.operations[number].input.node();
        if let Some(underway) = node_id.and_then(|node_id| self.underway.get_mut(&**node_id)) {
            *underway -= 1;
        }
    }

    /// Checks all writes against the committed log.
    ///
    /// # Errors
    /// Returns the violations.
    pub fn judge(&self, history: &History, max_age: Duration) -> Result<(), String> {
        let log = log_of(history);
        let max_age = MaxAge::from_ns(max_age.as_nanos() as u64);
        let mut operations = self.operations.clone();
        for operation in &mut operations {
            let is_ordered = history.ordered_from.is_some_and(|from| {
                let from_ns = from.as_nanos() as u64;
                operation.call_ns > from_ns
            });
            operation.arrived_ns = operation.arrived_ns.filter(|_| is_ordered);
        }
        let certificate = certify(&operations, Some(&log), max_age);
        if certificate.holds() {
            return Ok(());
        }
        let entries = certificate.violations.iter().filter_map(|violation| {
            let Violation::Overtaken { index, .. } = violation else {
                return None;
            };
            history.entry(*index)
        });
        Err(format!(
            "order of writes: {}{:?}",
            certificate.explain(&operations),
            entries.collect::<Vec<_>>()
        ))
    }
}

fn input_of(request: &SimRequest) -> Input {
    match request {
        SimRequest::Announce(announcement) => Input::Announce {
            node: announcement.node_id.as_str().into(),
            pool: POOL.into(),
            types: vec![TYPE.into()],
            token: token_of(announcement),
        },
        SimRequest::Withdraw(node_id) => Input::Withdraw {
            node: node_id.as_str().into(),
        },
    }
}

/// Returns the token of an announcement.
fn token_of(announcement: &quorate::model::Announcement) -> u64 {
    let services = announcement.services.to_vec();
    let token = services
        .first()
        .and_then(|service| service.properties.get("token"));
    token.and_then(|token| token.parse().ok()).unwrap_or(0)
}

/// Converts the committed log to the format of the checker.
fn log_of(history: &History) -> CommittedLog {
    let mut entries: Vec<LogEntry> = Vec::new();
    for (index, command, outcome) in history.applied() {
        let applied = applied(command, outcome);
        match entries.last_mut() {
            Some(entry) if entry.index == index => entry.applied.extend(applied),
            _ => entries.push(LogEntry { index, applied }),
        }
    }
    CommittedLog {
        from_index: 0,
        to_index: history.next().saturating_sub(1),
        is_complete: true,
        entries,
    }
}

/// Converts a command and its outcome to the effects that the checker replays.
fn applied(command: &Command, outcome: &Outcome) -> Vec<Applied> {
    let one = |applied| vec![applied];
    match (command, outcome) {
        (_, Outcome::Expired(nodes)) => {
            let expired = nodes.iter().map(|node_id| Applied::Expire {
                node: node_id.as_str().into(),
            });
            expired.collect()
        }
        (
            Command::Announce { announcement, .. } | Command::OrderedAnnounce { announcement, .. },
            Outcome::Applied,
        ) => one(Applied::Announce {
            node: announcement.node_id.as_str().into(),
            pool: POOL.into(),
            types: vec![TYPE.into()],
            token: token_of(announcement),
        }),
        (
            Command::Renew { node_id, .. } | Command::OrderedRenew { node_id, .. },
            Outcome::Applied,
        ) => one(Applied::Renew {
            node: node_id.as_str().into(),
        }),
        (
            Command::Withdraw { node_id, .. } | Command::OrderedWithdraw { node_id, .. },
            Outcome::Applied,
        ) => one(Applied::Withdraw {
            node: node_id.as_str().into(),
        }),
        _ => Vec::new(),
    }
}
