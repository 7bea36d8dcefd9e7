//! The part of the log's state that the log store knows without reading the disk: the bounds of the
//! log, the vote, and the newest entries.

use super::bounds::{kept_after, next_index};
use super::recovered_state::RecoveredState;
use super::size_index::LogSizeIndex;
use crate::identity::Identity;
use crate::types::{Entry, LogId, Vote};
use openraft::EntryPayload;
use quorate_registry::Command;
use std::collections::BTreeMap;
use std::ops::Range;

/// Maximum memory of the tail, which contains the newest entries of the log. If the tail is larger,
/// entries that are also in the database are evicted. The limit is small because replication and
/// apply read only the most recent entries, and a node has a memory budget of 40 MB.
pub(crate) const TAIL_BYTES_MAX: usize = 4 << 20;

/// An entry of the tail.
#[derive(Debug)]
struct Cached {
    entry: Entry,
    bytes: usize,
    /// The memory that the entry takes. For a command with little content it is far more than
    /// `bytes`, the size of the record.
    memory_bytes: usize,
    sequence: u64,
}

/// The entries that a read found in memory, and the range of older entries that must be read from
/// disk.
#[derive(Debug)]
pub(crate) struct ReadPlan {
    /// The range to read from disk; empty if there is nothing to read.
    pub(crate) on_disk: Range<u64>,
    /// The entries after `on_disk`, with the sizes of their records.
    pub(crate) cached: Vec<(Entry, usize)>,
    /// The epoch of the view, which changes when entries are removed. If the epoch has changed by
    /// the time the disk has been read, the read is repeated.
    pub(crate) epoch: u64,
}

/// The state of the log including all queued changes. The disk may lag behind this state.
///
/// - The tail holds the newest entries without a gap, up to `last`.
/// - An entry is evicted from the tail only after the append that added the entry is in the
///   database. An append is identified by its sequence number, because an index can be appended
///   again after a truncation.
#[derive(Debug, Default)]
pub(crate) struct LogView {
    tail: BTreeMap<u64, Cached>,
    tail_bytes: usize,
    /// The first index in the log. If the log is empty, the next append sets this index.
    first: u64,
    epoch: u64,
    /// The last entry, or `purged` when there is no entry.
    pub(crate) last: Option<LogId>,
    /// The last entry on disk.
    pub(crate) last_on_disk: Option<LogId>,
    /// The size of the log records on disk, in bytes, including records that are purged but not
    /// deleted yet.
    pub(crate) log_bytes: u64,
    /// The map from log indexes to cumulative log size.
    pub(crate) size_index: LogSizeIndex,
    /// The newest entry that was purged.
    pub(crate) purged: Option<LogId>,
    /// The vote on disk.
    pub(crate) vote: Option<Vote>,
    /// The last committed log id reported by openraft. It is written to disk with the next commit.
    pub(crate) committed: Option<LogId>,
    /// The identity on disk.
    pub(crate) identity: Option<Identity>,
}

impl LogView {
    /// Returns the view of a database that was just opened.
    pub(crate) fn new(recovered: RecoveredState, size_index: LogSizeIndex) -> Self {
        let RecoveredState {
            identity,
            vote,
            committed,
            purged,
            last,
        } = recovered;
        Self {
            first: next_index(purged),
            last,
            last_on_disk: last,
            log_bytes: size_index.appended_bytes(),
            size_index,
            purged,
            vote,
            committed,
            identity,
            ..Self::default()
        }
    }

    /// Returns the index that the next entry must have.
    pub(crate) fn next_index(&self) -> u64 {
        next_index(self.last)
    }

    /// Appends an entry, which must follow the last entry.
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

    /// Removes the entries after `last`.
    pub(crate) fn truncate_after(&mut self, last: Option<LogId>) {
        self.epoch += 1;
        self.last = kept_after(self.last, self.purged, last);
        let cut = self.tail.split_off(&self.next_index());
        self.tail_bytes -= cut.values().map(|c| c.memory_bytes).sum::<usize>();
    }

    /// Removes the entries up to and including `upto`.
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

    /// Resets the view to an empty directory, for a wipe.
    pub(crate) fn wipe(&mut self) {
        *self = Self {
            epoch: self.epoch + 1,
            ..Self::default()
        };
    }

    /// Records that the appends up to `sequence` are in the database, and evicts entries from the
    /// tail while the tail is too large.
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

    /// Plans a read of a range. Returns the entries of the range that are in memory, and the range
    /// to read from disk. The entries have at most `bytes_max` bytes, but the first entry in memory
    /// is always returned.
    pub(crate) fn plan(&self, range: Range<u64>, bytes_max: usize) -> ReadPlan {
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
        ReadPlan {
            on_disk: start..end.min(first_cached).max(start),
            cached,
            epoch: self.epoch,
        }
    }

    /// Returns a counter that changes whenever entries are removed.
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
