//! The committed log of a node, as far as it changes who is announced: what `quorate log DIR` prints, read.

use crate::history::Name;
use crate::lines::{LineError, values};
use serde::Deserialize;
use std::io::BufRead;

/// A part of the committed log, up to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    /// The first index from which on it is known what became of every command.
    pub from_index: u64,
    /// The last index.
    pub to_index: u64,
    /// Whether nothing at all was applied before `from_index`.
    pub is_complete: bool,
    /// The entries from `from_index` on that changed something or renewed, in order.
    pub entries: Vec<LogEntry>,
}

/// What one entry did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its index.
    pub index: u64,
    /// What was applied, in order; commands that changed nothing (overtaken, not held, full) are left out.
    pub applied: Vec<Applied>,
}

/// A command that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The node announced this, or renewed it.
    Announce {
        /// The node id.
        node: Name,
        /// The pool of its services.
        pool: Name,
        /// The type of each of its services.
        types: Vec<Name>,
        /// What they carry.
        token: u64,
    },
    /// The node renewed what was held of it.
    Renew {
        /// The node id.
        node: Name,
    },
    /// The node left.
    Withdraw {
        /// The node id.
        node: Name,
    },
    /// A tick removed the node.
    Expire {
        /// The node id.
        node: Name,
    },
}

impl Applied {
    /// The node that it changes.
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

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A line cannot be read, or is no entry.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The entries do not follow each other, or one has other than an outcome for each command.
    #[error("line {line}: {problem}")]
    Broken {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

/// Two nodes committed different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it differs from what another node committed at index {index}")]
pub struct Differs {
    /// The first index at which they differ.
    pub index: u64,
}

#[derive(Deserialize)]
struct Line {
    index: u64,
    #[serde(default)]
    commands: Vec<Command>,
    outcomes: Option<Vec<Outcome>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Command {
    announce: Option<Announcement>,
    renew: Option<Name>,
    withdraw: Option<Name>,
}

#[derive(Deserialize)]
struct Announcement {
    node_id: Name,
    pool: Name,
    services: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    service_type: Name,
    #[serde(default)]
    properties: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    Applied,
    Overtaken,
    NotHeld,
    Full,
    Expired(Vec<Name>),
}

impl Log {
    /// Reads what `quorate log DIR` prints. Every service of the test carries its token in the property `token_property`;
    /// announcements without one are somebody else's and are left out, but not their expiry, which changes nothing then.
    ///
    /// # Errors
    /// At the first line that is no entry or does not follow the one before.
    pub fn read(from: impl BufRead, token_property: &str) -> Result<Self, LogError> {
        let mut log = Self::default();
        let mut last_index = None;
        for read in values::<Line>(from) {
            let (line, entry) = read?;
            if last_index.is_some_and(|last: u64| entry.index != last + 1) {
                let problem = "its index does not follow the one before";
                return Err(LogError::Broken { line, problem });
            }
            if last_index.is_none() {
                // The first entry of a group has index 0 or 1.
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

    /// This log and what another node knows of the same log, which may begin earlier or later and end earlier or later.
    ///
    /// If the other begins only after the end of this one, what lies between is known to neither, and the result begins
    /// with the other.
    ///
    /// # Errors
    /// When the two differ at an index that both know: two nodes committed different things.
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

    fn take(&mut self, line: Line, token_property: &str) -> Result<(), &'static str> {
        let Some(outcomes) = line.outcomes else {
            // Covered by a snapshot: nobody knows any more what became of it.
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
                Outcome::Applied => applied.extend(command.applied(token_property)),
                Outcome::Expired(nodes) => {
                    applied.extend(nodes.into_iter().map(|node| Applied::Expire { node }));
                }
                Outcome::Overtaken | Outcome::NotHeld | Outcome::Full => {}
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

impl Command {
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
