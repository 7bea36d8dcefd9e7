//! The changes of announcements in the committed log of a node.
//!
//! The changes are read from the output of `quorate log DIR`.

use crate::history::Name;
use crate::lines::{LineError, values};
use serde::Deserialize;
use std::io::BufRead;

/// A part of the committed log, up to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommittedLog {
    /// The index from which on the outcome of every command is known.
    pub from_index: u64,
    /// The last index.
    pub to_index: u64,
    /// Whether no command at all was applied before `from_index`.
    pub is_complete: bool,
    /// The entries from `from_index` on that changed or renewed an announcement, in order.
    pub entries: Vec<LogEntry>,
}

/// The index at which the known part of the log begins. The outcome of every command from this
/// index on is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The index of the entry.
    pub index: u64,
    /// The applied commands, in order. Commands without effect (outcomes `overtaken`, `notHeld` and
    /// `full`) are omitted.
    pub applied: Vec<Applied>,
}

/// An applied command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The node announced these services, or renewed them.
    Announce {
        /// The node id.
        node: Name,
        /// The pool of the services.
        pool: Name,
        /// The type of each service.
        types: Vec<Name>,
        /// The token of the services.
        token: u64,
    },
    /// The node renewed its stored announcement.
    Renew {
        /// The node id.
        node: Name,
    },
    /// The node withdrew its announcement.
    Withdraw {
        /// The node id.
        node: Name,
    },
    /// A tick removed the node because it expired.
    Expire {
        /// The node id.
        node: Name,
    },
}

impl Applied {
    /// Returns the node that the command changes.
    #[must_use]
    pub fn node(&self) -> &Name {
        match self {
            Self::Announce { node, .. }
            | Self::Renew { node }
            | Self::Withdraw { node }
            | Self::Expire { node } => node,
        }
    }
}

/// A reason why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A line cannot be read, or is not an entry.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The indexes are not consecutive, or an entry does not have exactly one outcome per command.
    #[error("line {line}: {problem}")]
    Broken {
        /// The line number, counted from 1.
        line: usize,
        /// A description of the problem.
        problem: &'static str,
    },
}

/// Two nodes committed different entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it differs from what another node committed at index {index}")]
pub struct Differs {
    /// The first index at which the two nodes committed different entries.
    pub index: u64,
}

#[derive(Deserialize)]
struct LogLine {
    index: u64,
    #[serde(default)]
    commands: Vec<LoggedCommand>,
    outcomes: Option<Vec<LoggedOutcome>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoggedCommand {
    announce: Option<LoggedAnnouncement>,
    renew: Option<Name>,
    withdraw: Option<Name>,
}

#[derive(Deserialize)]
struct LoggedAnnouncement {
    node_id: Name,
    pool: Name,
    services: Vec<LoggedService>,
}

#[derive(Deserialize)]
struct LoggedService {
    service_type: Name,
    #[serde(default)]
    properties: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum LoggedOutcome {
    Applied,
    Overtaken,
    NotHeld,
    Full,
    Expired(Vec<Name>),
}

impl CommittedLog {
    /// Reads the output of `quorate log DIR`. Every service of the test carries the token of its
    /// announcement in the property `token_property`. Announcements without a token come from other
    /// clients and are omitted. The expiries of other clients' nodes are kept, but have no effect.
    ///
    /// # Errors
    /// Fails at the first line that is not an entry, or whose index does not follow the previous
    /// one.
    pub fn read(from: impl BufRead, token_property: &str) -> Result<Self, LogError> {
        let mut log = Self::default();
        let mut last_index = None;
        for read in values::<LogLine>(from) {
            let (line, entry) = read?;
            if last_index.is_some_and(|last: u64| entry.index != last + 1) {
                let problem = "its index does not follow the one before";
                return Err(LogError::Broken { line, problem });
            }
            if last_index.is_none() {
                // A log that begins with the first entry of the cluster, which has index 0 or 1, is
                // complete.
                log.is_complete = entry.index <= 1;
                log.from_index = entry.index;
            }
            last_index = Some(entry.index);
            log.to_index = entry.index;
            log.take(entry, token_property)
                .map_err(|problem| LogError::Broken { line, problem })?;
        }
        Ok(log)
    }

    /// Joins two parts of one log, each known to a different node. Either part may begin or end
    /// earlier than the other part.
    ///
    /// Returns the later part alone if entries are missing between the two parts.
    ///
    /// # Errors
    /// Fails if the two parts differ at an index that both contain, which means that the two nodes
    /// committed different entries.
    pub fn joined(self, other: Self) -> Result<Self, Differs> {
        let (mut first, second) = match self.from_index <= other.from_index {
            true => (self, other),
            false => (other, self),
        };
        if first.to_index + 1 < second.from_index {
            return Ok(second);
        }
        let known =
            |entry: &&LogEntry| entry.index >= second.from_index && entry.index <= second.to_index;
        let of_first: Vec<&LogEntry> = first.entries.iter().filter(known).collect();
        let upto = first.to_index.min(second.to_index);
        let of_second = second
            .entries
            .iter()
            .take_while(|entry| entry.index <= upto);
        let mut of_second = of_second.peekable();
        for ours in &of_first {
            match of_second.next() {
                Some(theirs) if theirs == *ours => {}
                Some(theirs) => {
                    return Err(Differs {
                        index: theirs.index.min(ours.index),
                    });
                }
                None => return Err(Differs { index: ours.index }),
            }
        }
        if let Some(theirs) = of_second.next() {
            return Err(Differs {
                index: theirs.index,
            });
        }
        let newer = second
            .entries
            .iter()
            .filter(|entry| entry.index > first.to_index);
        first.entries.extend(newer.cloned());
        first.to_index = first.to_index.max(second.to_index);
        Ok(first)
    }

    /// Adds the applied commands of a parsed entry.
    fn take(&mut self, line: LogLine, token_property: &str) -> Result<(), &'static str> {
        let Some(outcomes) = line.outcomes else {
            // The entry is covered by a snapshot, so its outcome is no longer known. The known part
            // of the log begins after this entry.
            self.is_complete = false;
            self.from_index = line.index + 1;
            self.entries.clear();
            return Ok(());
        };
        if outcomes.len() != line.commands.len() {
            return Err("it has other than an outcome for each command");
        }
        let mut applied = Vec::new();
        for (command, outcome) in line.commands.into_iter().zip(outcomes) {
            match outcome {
                LoggedOutcome::Applied => applied.extend(command.applied(token_property)),
                LoggedOutcome::Expired(nodes) => {
                    applied.extend(nodes.into_iter().map(|node| Applied::Expire { node }));
                }
                LoggedOutcome::Overtaken | LoggedOutcome::NotHeld | LoggedOutcome::Full => {}
            }
        }
        if !applied.is_empty() {
            self.entries.push(LogEntry {
                index: line.index,
                applied,
            });
        }
        Ok(())
    }
}

impl LoggedCommand {
    /// Returns the effect of an applied command. Returns `None` if the command changes no
    /// announcement, or if its announcement has no token.
    fn applied(self, token_property: &str) -> Option<Applied> {
        let Some(announcement) = self.announce else {
            let renewed = self.renew.map(|node| Applied::Renew { node });
            return renewed.or_else(|| self.withdraw.map(|node| Applied::Withdraw { node }));
        };
        let token = announcement.services.iter().find_map(|service| {
            let token = service.properties.get(token_property)?;
            token.parse().ok()
        })?;
        Some(Applied::Announce {
            node: announcement.node_id,
            pool: announcement.pool,
            types: announcement
                .services
                .into_iter()
                .map(|service| service.service_type)
                .collect(),
            token,
        })
    }
}
