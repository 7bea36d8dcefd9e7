//! What clients asked, what they were answered, and when; as JSON lines, so that a run can be kept and judged again.

use crate::lines::{LineError, values};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

/// A node id, a type or a pool.
pub type Name = Arc<str>;

/// One request and what came of it.
///
/// Times are nanoseconds of one monotonic clock for all clients of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Who asked; a client has one request under way at a time.
    pub client: u32,
    /// Which node of the cluster was asked.
    pub server: u32,
    /// Just before the request was sent.
    pub call_ns: u64,
    /// Of a change: by this time the node that was asked had surely taken the request; none if that
    /// is known by its answer alone. See [`crate::certificate`] for the rule that rests on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived_ns: Option<u64>,
    /// Just after the answer was read; none if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_ns: Option<u64>,
    /// What was asked.
    pub input: Input,
    /// What is known of it.
    pub outcome: Outcome,
    /// `Quorate-Index` of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// `PUT /v1/announcement/{node}`: an announcement, or a renewal if the node already holds this token.
    Announce {
        /// The node id.
        node: Name,
        /// The pool of all its services.
        pool: Name,
        /// The type of each of its services; a type is named as often as there are services of it.
        types: Vec<Name>,
        /// What every service of it carries in a property, other than all other announcements' that are not renewals of it.
        token: u64,
    },
    /// `DELETE /v1/announcement/{node}`.
    Withdraw {
        /// The node id.
        node: Name,
    },
    /// `GET /v1/service[/{type}[/{pool}]]`.
    Lookup {
        /// The type asked for; none is all.
        #[serde(rename = "type")]
        service_type: Option<Name>,
        /// The pool asked for; none is all.
        pool: Option<Name>,
    },
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A change was answered with 2xx.
    Acked,
    /// A lookup was answered with these services, in any order.
    Found(Vec<Service>),
    /// It surely did not happen: 4xx, `Quorate-Applied: no`, a refused connection. A lookup without an answer is
    /// this too.
    Refused,
    /// It may have happened, or may still: no answer, a reset, a 5xx without a word about it, `Quorate-Applied: unknown`.
    Unknown,
}

/// A service as a lookup shows it. In JSON: `["node", "type", "pool", token]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(Name, Name, Name, u64)", into = "(Name, Name, Name, u64)")]
pub struct Service {
    /// Its type.
    pub service_type: Name,
    /// Its pool.
    pub pool: Name,
    /// The node that announced it.
    pub node: Name,
    /// The token that its announcement carried.
    pub token: u64,
}

impl From<(Name, Name, Name, u64)> for Service {
    fn from((node, service_type, pool, token): (Name, Name, Name, u64)) -> Self {
        Self {
            service_type,
            pool,
            node,
            token,
        }
    }
}

impl From<Service> for (Name, Name, Name, u64) {
    fn from(service: Service) -> Self {
        (
            service.node,
            service.service_type,
            service.pool,
            service.token,
        )
    }
}

impl Operation {
    /// When it was over for sure, effects included: `u64::MAX` (never) for a change of unknown fate, since it may be applied
    /// long after its client gave up.
    #[must_use]
    pub fn over_by_ns(&self) -> u64 {
        match self.outcome {
            Outcome::Unknown => u64::MAX,
            _ => self.return_ns.unwrap_or(u64::MAX),
        }
    }

    /// Whether it is a change.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.input, Input::Lookup { .. })
    }

    /// Whether it was answered with 2xx.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Acked | Outcome::Found(_))
    }
}

impl Operation {
    /// Lets equal names be one: a long history has few different ones.
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
        if let Outcome::Found(services) = &mut self.outcome {
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
    /// The node that it changes.
    #[must_use]
    pub fn node(&self) -> Option<&Name> {
        match self {
            Self::Announce { node, .. } | Self::Withdraw { node } => Some(node),
            Self::Lookup { .. } => None,
        }
    }
}

/// As its line of JSON.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&line)
    }
}

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A line cannot be read, or is no operation.
    #[error(transparent)]
    Line(#[from] LineError),
    /// An operation that cannot be: a lookup that was acked or has an arrival, a change that found,
    /// a return or an arrival before its call, no return although there was an answer.
    #[error("line {line}: an outcome that does not go with its request, or a time that does not")]
    Impossible {
        /// Counted from 1.
        line: usize,
    },
}

/// Writes a history, an operation a line.
///
/// # Errors
/// Those of the writer.
pub fn write(operations: &[Operation], mut to: impl Write) -> io::Result<()> {
    for operation in operations {
        serde_json::to_writer(&mut to, operation)?;
        to.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads what [`write()`] wrote. A history of a harness's own, so its length has no limit but memory.
///
/// # Errors
/// At the first line that is no operation, or one that cannot be.
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

fn is_possible(operation: &Operation) -> bool {
    let outcome_fits = match operation.outcome {
        Outcome::Acked => operation.is_write(),
        Outcome::Found(_) => !operation.is_write(),
        Outcome::Refused | Outcome::Unknown => true,
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
