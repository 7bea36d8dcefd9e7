//! The implementation of openraft's log storage on top of the store.

use super::codec;
use super::log::view::ReadPlan;
use super::request::{Callback, WriteRequest, closed};
use super::store::{Store, StoreInner};
use crate::types::{Entry, LogId, TypeConfig, Vote};
use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::{Arc, PoisonError};

/// Maximum size of the entries in one replication request. With this limit, the request reaches a
/// follower within its timeout even over a slow link.
const READ_BYTES_MAX: usize = 1 << 20;

/// The log, the vote and the committed id, with the guarantees that openraft requires.
///
/// - Entries passed to `append` are readable when it returns, and durable when the callback runs.
/// - Everything is written in the order of the calls.
/// - A vote is durable on return.
#[derive(Debug, Clone)]
pub struct LogStore {
    inner: Arc<StoreInner>,
}

impl Store {
    /// Returns the log storage for openraft.
    pub fn log_store(&self) -> LogStore {
        LogStore {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl LogStore {
    /// Reads the entries of a range, up to about `bytes_max` bytes, but at least one entry if the
    /// range contains one.
    async fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Entry>> {
        loop {
            self.inner.shared.fail_stop.check()?;
            let ReadPlan {
                on_disk,
                cached,
                epoch,
            } = self.inner.shared.view().plan(range.clone(), bytes_max);
            if on_disk.is_empty() {
                return Ok(cached.into_iter().map(|(entry, _)| entry).collect());
            }
            let read = self.read_disk(on_disk.clone(), bytes_max).await;
            // If entries were removed during the read, other entries may have replaced them, so the
            // read is repeated.
            if self.inner.shared.view().epoch() != epoch {
                continue;
            }
            let mut found = self
                .inner
                .shared
                .fail_stop
                .watch(read)?
                .ok_or_else(closed)?;
            if let Some(index) = missing(&on_disk, &found, bytes_max) {
                let missing = io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("log index {index} is missing"),
                );
                return Err(self.inner.shared.fail_stop.set(missing));
            }
            if found.len() as u64 == on_disk.end - on_disk.start {
                let mut left = bytes_max.saturating_sub(found.iter().map(|(_, bytes)| bytes).sum());
                found.extend(cached.into_iter().take_while(|(_, bytes)| {
                    let fits = *bytes <= left;
                    left = left.saturating_sub(*bytes);
                    fits
                }));
            }
            return Ok(found.into_iter().map(|(entry, _)| entry).collect());
        }
    }

    /// Reads entries from disk. Returns `None` when the store was closed in the meantime, which is
    /// not a failure.
    async fn read_disk(
        &self,
        range: Range<u64>,
        bytes_max: usize,
    ) -> io::Result<Option<Vec<(Entry, usize)>>> {
        let shared = Arc::clone(&self.inner.shared);
        let executor = shared.snapshots.work().clone();
        let read = executor.run(move || {
            let database = shared
                .database
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            database
                .as_ref()
                .map(|d| d.read(range, bytes_max))
                .transpose()
        });
        match read.await {
            Err(e) if e.is_cancelled() => Ok(None),
            other => other.map_err(io::Error::other)?,
        }
    }
}

/// Returns the first index of a range whose entry a read should have returned but did not.
fn missing(range: &Range<u64>, found: &[(Entry, usize)], bytes_max: usize) -> Option<u64> {
    let hole = found
        .iter()
        .zip(range.clone())
        .find(|((e, _), i)| e.log_id.index != *i)
        .map(|(_, i)| i);
    let next = range.start + found.len() as u64;
    let may_be_short = bytes_max != usize::MAX && !found.is_empty();
    hole.or((next < range.end && !may_be_short).then_some(next))
}

/// Checks that an entry's record is small enough to be sent to the followers. An entry that they
/// can never receive must not be written.
fn check_record(index: u64, bytes: usize) -> io::Result<()> {
    match bytes <= codec::ENTRY_BYTES_MAX {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "log index {index}: a record of {bytes} bytes is over the limit of {}",
                codec::ENTRY_BYTES_MAX
            ),
        )),
    }
}

fn half_open(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(i) => *i,
        Bound::Excluded(i) => i.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(i) => i.saturating_add(1),
        Bound::Excluded(i) => *i,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        self.read(half_open(&range), usize::MAX).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.inner.shared.view().vote)
    }

    /// Reads entries for a replication request, up to about `READ_BYTES_MAX` bytes.
    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start..end, READ_BYTES_MAX).await
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    /// Returns the last purged and the last log id, including queued changes.
    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let view = self.inner.shared.view();
        Ok(LogState {
            last_purged_log_id: view.purged,
            last_log_id: view.last,
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    /// Writes the vote. It is durable on return.
    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let vote = *vote;
        self.inner
            .ask(|done| WriteRequest::Vote { vote, done })
            .await
    }

    /// Records the committed log id. It is written to disk with the next commit.
    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.inner.shared.view().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.inner.shared.view().committed)
    }

    /// Appends entries. They are readable on return, and durable when the callback runs.
    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let callback = Callback::new(callback);
        let mut encoded = Vec::new();
        for entry in entries {
            let record = codec::encode_entry(&entry).map_err(io::Error::other)?;
            check_record(entry.log_id.index, record.len())?;
            encoded.push((entry, record));
        }
        self.inner.append(encoded, callback).await
    }

    /// Truncates the log after an entry. The truncation is durable on return.
    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let permit = self.inner.permit(0).await?;
        let answer = self.inner.send_with(permit, |view, done| {
            view.truncate_after(last);
            WriteRequest::TruncateAfter { last, done }
        })?;
        answer.await.map_err(|_| closed())?
    }

    /// Purges the entries up to and including `upto`. The purge is queued, not durable, on return.
    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        let permit = self.inner.permit(0).await?;
        // The write of the purge is not awaited. If a crash prevents this write, openraft purges
        // the entries again.
        self.inner.send_with(permit, |view, _| {
            view.purge(upto);
            WriteRequest::Purge { upto }
        })?;
        Ok(())
    }
}
