//! What the log store knows without asking the disk: the ends of the log, the vote, and
//! the newest entries.

use super::bounds::{kept_after, next_index};
use super::recovered_state::Held;
use super::size_index::LogGrowth;
use crate::registry::Command;
use crate::storage::identity::Identity;
use crate::storage::types::{Entry, LogId, Vote};
use openraft::EntryPayload;
use std::collections::BTreeMap;
use std::ops::Range;

/// Entries that the database has leave the tail when it holds more than this: replication and
/// apply read what was appended last, and a node is to stay in 40 MB.
pub(crate) const TAIL_BYTES_MAX: usize = 4 << 20;

#[derive(Debug)]
struct Cached {
    entry: Entry,
    bytes: usize,
    /// What it takes in memory: a command that says little takes far more than its record.
    memory_bytes: usize,
    sequence: u64,
}

/// What a read found in memory, and what is left to read from disk before it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// To be read from disk; empty if nothing is.
    pub(crate) on_disk: Range<u64>,
    /// The entries after those, with the size of their records.
    pub(crate) cached: Vec<(Entry, usize)>,
    /// The view's epoch: when it has moved on after the disk was read, the read is repeated.
    pub(crate) epoch: u64,
}

/// The state of the log as its writers left it, which the disk may still have to follow.
///
/// - The tail holds the newest entries without a hole, up to `last`.
/// - An entry leaves it only once the database has the append that brought it. An append is told by
///   its sequence number: after a truncation an index is no proof.
#[derive(Debug, Default)]
pub(crate) struct LogView {
    tail: BTreeMap<u64, Cached>,
    tail_bytes: usize,
    /// The first index that the log holds, when it holds one.
    first: u64,
    epoch: u64,
    /// The last entry, or `purged` when there is none.
    pub(crate) last: Option<LogId>,
    /// The last entry on disk.
    pub(crate) last_on_disk: Option<LogId>,
    /// The records of the log on disk, in bytes; also of those that are purged and not deleted yet.
    pub(crate) log_bytes: u64,
    /// How it grew to that.
    pub(crate) growth: LogGrowth,
    /// The newest entry that was purged.
    pub(crate) purged: Option<LogId>,
    /// The vote on disk.
    pub(crate) vote: Option<Vote>,
    /// The last one that openraft told; the disk follows with the next commit.
    pub(crate) committed: Option<LogId>,
    /// The identity on disk.
    pub(crate) identity: Option<Identity>,
}

impl LogView {
    /// The view of what a database held when it was opened.
    pub(crate) fn new(held: Held, growth: LogGrowth) -> Self {
        let Held {
            identity,
            vote,
            committed,
            purged,
            last,
        } = held;
        Self {
            first: next_index(purged),
            last,
            last_on_disk: last,
            log_bytes: growth.appended_bytes(),
            growth,
            purged,
            vote,
            committed,
            identity,
            ..Self::default()
        }
    }

    /// The index that the next entry must have.
    pub(crate) fn next_index(&self) -> u64 {
        next_index(self.last)
    }

    /// Takes an entry that follows the last one.
    pub(crate) fn append(&mut self, entry: Entry, bytes: usize, sequence: u64) {
        debug_assert!(
            self.last.is_none() || entry.log_id.index == self.next_index(),
            "no holes"
        );
        if self.last == self.purged {
            self.first = entry.log_id.index;
        }
        self.last = Some(entry.log_id);
        let memory_bytes = bytes + commands_of(&entry) * size_of::<Command>();
        self.tail_bytes += memory_bytes;
        self.tail.insert(
            entry.log_id.index,
            Cached {
                entry,
                bytes,
                memory_bytes,
                sequence,
            },
        );
    }

    /// Forgets the entries after `last`.
    pub(crate) fn truncate_after(&mut self, last: Option<LogId>) {
        self.epoch += 1;
        self.last = kept_after(self.last, self.purged, last);
        let cut = self.tail.split_off(&self.next_index());
        self.tail_bytes -= cut.values().map(|c| c.memory_bytes).sum::<usize>();
    }

    /// Forgets the entries up to `upto`.
    pub(crate) fn purge(&mut self, upto: LogId) {
        self.epoch += 1;
        self.purged = Some(upto);
        self.first = upto.index + 1;
        if self.next_index() <= upto.index {
            self.last = Some(upto);
        }
        let kept = self.tail.split_off(&(upto.index + 1));
        self.tail = kept;
        self.tail_bytes = self.tail.values().map(|c| c.memory_bytes).sum();
    }

    /// Forgets everything.
    pub(crate) fn wipe(&mut self) {
        *self = Self {
            epoch: self.epoch + 1,
            ..Self::default()
        };
    }

    /// The appends up to `sequence` are in the database.
    pub(crate) fn flushed(&mut self, sequence: u64) {
        while self.tail_bytes > TAIL_BYTES_MAX {
            match self.tail.first_entry() {
                Some(first) if first.get().sequence <= sequence => {
                    self.tail_bytes -= first.remove().memory_bytes
                }
                _ => return,
            }
        }
    }

    /// Looks up entries, up to `bytes_max` of those in memory but at least one.
    pub(crate) fn plan(&self, range: Range<u64>, bytes_max: usize) -> Plan {
        let start = range.start.max(self.first);
        let end = range.end.min(self.next_index());
        let first_cached = self
            .tail
            .first_key_value()
            .map_or(self.next_index(), |(i, _)| *i);
        let mut bytes = 0;
        let cached = if start.max(first_cached) < end {
            self.tail.range(start.max(first_cached)..end)
        } else {
            self.tail.range(0..0)
        };
        let cached = cached
            .take_while(|(_, c)| {
                let fits = bytes == 0 || bytes + c.bytes <= bytes_max;
                bytes += c.bytes;
                fits
            })
            .map(|(_, c)| (c.entry.clone(), c.bytes))
            .collect();
        Plan {
            on_disk: start..end.min(first_cached).max(start),
            cached,
            epoch: self.epoch,
        }
    }

    /// Changes whenever entries went away.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }
}

fn commands_of(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(proposal) => proposal.0.commands.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => 0,
    }
}

#[cfg(test)]
mod tests;
