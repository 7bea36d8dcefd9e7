//! The history of a run: the requests of clients, their answers and their times.
//!
//! A history is stored as JSON lines, so that a run can be judged again.

use crate::lines::{LineError, values};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

/// A node id, a type or a pool.
pub type Name = Arc<str>;

/// One request and its outcome.
///
/// Times are nanoseconds of one monotonic clock, which all clients of the history share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The client. It has one request in flight at a time.
    pub client: u32,
    /// The node of the cluster to which the request was sent.
    pub server: u32,
    /// The time just before the request was sent.
    pub call_ns: u64,
    /// A time by which the server had certainly received the change, because the server had
    /// answered a request that was sent after the change. The answer to the change itself does not
    /// count. `None` for a lookup, and for a change without this proof. [`crate::certificate`]
    /// explains the rule that uses this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived_ns: Option<u64>,
    /// The time just after the answer was read. `None` if there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_ns: Option<u64>,
    /// The request.
    pub input: Input,
    /// The known outcome of the request.
    pub outcome: RequestOutcome,
    /// `Quorate-Index` of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// `PUT /v1/announcement/{node}`: an announcement, or a renewal if the stored announcement of
    /// the node has this token.
    Announce {
        /// The node id.
        node: Name,
        /// The pool of all services of the announcement.
        pool: Name,
        /// The type of each service of the announcement. A type occurs once for each service of the
        /// type.
        types: Vec<Name>,
        /// The token that every service of the announcement carries in a property. All
        /// announcements have different tokens, except that a renewal repeats the token of the
        /// announcement that it renews.
        token: u64,
    },
    /// `DELETE /v1/announcement/{node}`.
    Withdraw {
        /// The node id.
        node: Name,
    },
    /// `GET /v1/service[/{type}[/{pool}]]`.
    Lookup {
        /// The requested type. `None` means all.
        #[serde(rename = "type")]
        service_type: Option<Name>,
        /// The requested pool. `None` means all.
        pool: Option<Name>,
    },
}

/// The known outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestOutcome {
    /// A change was answered with 2xx.
    Acked,
    /// A lookup was answered with these services, in any order.
    Found(Vec<RecordedService>),
    /// The change certainly did not happen: 4xx, `Quorate-Applied: no`, or a refused connection. A
    /// lookup without an answer has this outcome too.
    Refused,
    /// The change may have happened, or may still happen: no answer, a connection reset, a 5xx
    /// without `Quorate-Applied`, or `Quorate-Applied: unknown`.
    Unknown,
}

/// A service in the result of a lookup. In JSON: `["node", "type", "pool", token]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(Name, Name, Name, u64)", into = "(Name, Name, Name, u64)")]
pub struct RecordedService {
    /// The type of the service.
    pub service_type: Name,
    /// The pool of the service.
    pub pool: Name,
    /// The node that announced the service.
    pub node: Name,
    /// The token of the announcement.
    pub token: u64,
}

impl From<(Name, Name, Name, u64)> for RecordedService {
    fn from((node, service_type, pool, token): (Name, Name, Name, u64)) -> Self {
        Self {
            service_type,
            pool,
            node,
            token,
        }
    }
}

impl From<RecordedService> for (Name, Name, Name, u64) {
    fn from(service: RecordedService) -> Self {
        (
            service.node,
            service.service_type,
            service.pool,
            service.token,
        )
    }
}

impl Operation {
    /// Returns the time by which the operation and its effects were certainly over. Returns
    /// `u64::MAX` (never) for a change with an unknown outcome, since the change may be applied
    /// long after its client gave up.
    #[must_use]
    pub fn over_by_ns(&self) -> u64 {
        match self.outcome {
            RequestOutcome::Unknown => u64::MAX,
            _ => self.return_ns.unwrap_or(u64::MAX),
        }
    }

    /// Whether the operation is a change.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.input, Input::Lookup { .. })
    }

    /// Whether the operation was answered with 2xx.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(
            self.outcome,
            RequestOutcome::Acked | RequestOutcome::Found(_)
        )
    }
}

impl Operation {
    /// Replaces equal names by one shared string. A long history has few distinct names.
    fn share(&mut self, names: &mut HashSet<Name>) {
        match &mut self.input {
            Input::Announce {
                node, pool, types, ..
            } => {
                for name in types.iter_mut().chain([node, pool]) {
                    share(name, names);
                }
            }
            Input::Withdraw { node } => share(node, names),
            Input::Lookup { service_type, pool } => {
                for name in service_type.iter_mut().chain(pool) {
                    share(name, names);
                }
            }
        }
        if let RequestOutcome::Found(services) = &mut self.outcome {
            for service in services {
                share(&mut service.service_type, names);
                share(&mut service.pool, names);
                share(&mut service.node, names);
            }
        }
    }
}

fn share(name: &mut Name, names: &mut HashSet<Name>) {
    match names.get(name) {
        Some(known) => *name = known.clone(),
        None => {
            names.insert(name.clone());
        }
    }
}

impl Input {
    /// Returns the node that the request changes.
    #[must_use]
    pub fn node(&self) -> Option<&Name> {
        match self {
            Self::Announce { node, .. } | Self::Withdraw { node } => Some(node),
            Self::Lookup { .. } => None,
        }
    }
}

/// Formats the operation as its line of JSON.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&line)
    }
}

/// A reason why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A line cannot be read, or is not an operation.
    #[error(transparent)]
    Line(#[from] LineError),
    /// An impossible operation: a lookup with `Acked` or with a time of arrival, a change with
    /// `Found`, a return or a time of arrival before the call, or an answer without a return.
    #[error("line {line}: an outcome that does not go with its request, or a time that does not")]
    Impossible {
        /// The line number, counted from 1.
        line: usize,
    },
}

/// Writes a history, one operation per line.
///
/// # Errors
/// Returns the errors of the writer.
pub fn write(operations: &[Operation], mut to: impl Write) -> io::Result<()> {
    for operation in operations {
        serde_json::to_writer(&mut to, operation)?;
        to.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads the output of [`write()`]. No maximum length is enforced, since histories come from the
/// test harnesses of this project.
///
/// # Errors
/// Fails at the first line that is not an operation, or that contains an impossible operation.
pub fn read(from: impl BufRead) -> Result<Vec<Operation>, ReadError> {
    let mut operations = Vec::new();
    let mut names = HashSet::new();
    for read in values::<Operation>(from) {
        let (line, mut operation) = read?;
        operation.share(&mut names);
        if !is_possible(&operation) {
            return Err(ReadError::Impossible { line });
        }
        operations.push(operation);
    }
    Ok(operations)
}

/// Whether the outcome and the times of an operation fit its request.
fn is_possible(operation: &Operation) -> bool {
    let outcome_fits = match operation.outcome {
        RequestOutcome::Acked => operation.is_write(),
        RequestOutcome::Found(_) => !operation.is_write(),
        RequestOutcome::Refused | RequestOutcome::Unknown => true,
    };
    let time_fits = operation
        .return_ns
        .map_or(!operation.succeeded(), |return_ns| {
            operation.call_ns <= return_ns
        });
    let arrival_fits = operation
        .arrived_ns
        .is_none_or(|arrived_ns| operation.is_write() && operation.call_ns <= arrived_ns);
    outcome_fits && time_fits && arrival_fits
}
