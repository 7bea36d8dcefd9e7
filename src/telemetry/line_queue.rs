//! A queue of log lines, which a thread of its own writes to a file.

use super::log_file::LogFile;
use super::timestamp;
use crate::locks::lock;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Maximum size of the lines that wait for the disk, which is some 20,000 lines. Further lines are
/// dropped, so that no request is delayed. airlift limits the number of lines instead
/// (`http-server.log.queue-size`). Here the limit is in bytes, because a client can make each line
/// long.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// Time for which the first line waits for more lines, so that all are written together. On a busy
/// node, waking the thread for each line would cost more than the response does.
const GATHER_TIME: Duration = Duration::from_millis(50);

/// The queue of lines for a file.
///
/// A separate thread writes the lines, because a slow disk must not delay the tasks that serve
/// requests. Dropping the queue writes the waiting lines.
#[derive(Debug)]
pub(super) struct LineQueue {
    shared: Arc<QueueShared>,
    /// The text before the time of each line.
    prefix: &'static str,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct QueueShared {
    waiting: Mutex<QueuedLines>,
    /// Notified when the first line is queued, when the queue becomes half full, and when the log
    /// ends.
    news: Condvar,
}

#[derive(Debug, Default)]
struct QueuedLines {
    lines: Vec<u8>,
    /// The time of the last line, in milliseconds and as text. The text is kept because on a busy
    /// node many lines have the same time.
    written_time: (u64, String),
    /// The time of the newest line, in wall-clock milliseconds.
    newest_ms: u64,
    /// Number of lines dropped because the queue was full.
    lost: u64,
    ends: bool,
}

impl LineQueue {
    /// Starts the thread that writes the queued lines to the file. `log` names the log, for the
    /// thread and for messages. Each line begins with `prefix` and its time.
    ///
    /// # Errors
    /// Returns the operating system's error when the thread cannot be started.
    pub(super) fn start(
        log: &'static str,
        prefix: &'static str,
        mut file: LogFile,
    ) -> io::Result<Self> {
        let shared = Arc::new(QueueShared::default());
        let lines = Arc::clone(&shared);
        let write = move || {
            let mut gathered = QueuedLines::default();
            while !gathered.ends {
                lines.take_lines(&mut gathered);
                file.write_lines(&gathered.lines, gathered.newest_ms);
                if gathered.lost > 0 {
                    let lines = gathered.lost;
                    tracing::warn!(lines, "the disk of the {log} is too slow: lines were lost");
                }
            }
        };
        let writer = thread::Builder::new()
            .name(log.replace(' ', "-"))
            .spawn(write)?;
        Ok(Self {
            shared,
            prefix,
            writer: Some(writer),
        })
    }

    /// Queues a line, given as its time and its rest, which ends with a line end. Does not wait: if
    /// the queue is full, the line is dropped, and the server's log reports the number of dropped
    /// lines.
    pub(super) fn push(&self, time_ms: u64, rest: &[u8]) {
        if self.shared.lock().push(self.prefix, time_ms, rest) {
            self.shared.news.notify_one();
        }
    }
}

impl QueueShared {
    /// Waits until lines are queued or the log ends, and moves the queued lines to `gathered`. The
    /// queue continues with the emptied buffer of `gathered`.
    fn take_lines(&self, gathered: &mut QueuedLines) {
        gathered.lines.clear();
        // Free the memory that only a burst of lines needed.
        gathered.lines.shrink_to(WAITING_BYTES_MAX / 16);
        let waiting = self.lock();
        let waiting = self
            .news
            .wait_while(waiting, |waiting| waiting.is_empty() && !waiting.ends)
            .unwrap_or_else(PoisonError::into_inner);
        let (mut waiting, _) = self
            .news
            .wait_timeout_while(waiting, GATHER_TIME, |waiting| {
                !waiting.ends && !waiting.is_half_full()
            })
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.lines, &mut gathered.lines);
        gathered.newest_ms = std::mem::take(&mut waiting.newest_ms);
        gathered.lost = std::mem::take(&mut waiting.lost);
        gathered.ends = waiting.ends;
    }

    fn lock(&self) -> MutexGuard<'_, QueuedLines> {
        lock(&self.waiting)
    }
}

impl QueuedLines {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.lost == 0
    }

    fn is_half_full(&self) -> bool {
        self.lines.len() >= WAITING_BYTES_MAX / 2
    }

    /// Appends a line, given as its time and its rest. Returns whether the writer must be
    /// notified, because the line is the first that waits or makes the queue half full.
    fn push(&mut self, prefix: &str, time_ms: u64, rest: &[u8]) -> bool {
        let (was_empty, was_half_full) = (self.is_empty(), self.is_half_full());
        if self.written_time.0 != time_ms || self.written_time.1.is_empty() {
            self.written_time = (time_ms, timestamp::rfc3339(time_ms));
        }
        let time = &self.written_time.1;
        if self.lines.len() + prefix.len() + time.len() + rest.len() > WAITING_BYTES_MAX {
            self.lost += 1;
        } else {
            self.lines.extend_from_slice(prefix.as_bytes());
            self.lines.extend_from_slice(time.as_bytes());
            self.lines.extend_from_slice(rest);
            self.newest_ms = self.newest_ms.max(time_ms);
        }
        was_empty || was_half_full != self.is_half_full()
    }
}

impl Drop for LineQueue {
    fn drop(&mut self) {
        self.shared.lock().ends = true;
        self.shared.news.notify_one();
        if let Some(writer) = self.writer.take() {
            let _panicked = writer.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A full queue drops and counts lines. It does not block.
    #[test]
    fn a_full_queue_loses_lines() {
        let mut waiting = QueuedLines::default();
        let time_bytes = timestamp::rfc3339(0).len();
        let rest = format!("{}\n", "x".repeat(WAITING_BYTES_MAX / 4 - time_bytes - 1));
        let notified: Vec<_> = (0..6)
            .map(|time_ms| waiting.push("", time_ms, rest.as_bytes()))
            .collect();
        assert_eq!(notified, [true, true, false, false, false, false]);
        assert_eq!((waiting.lines.len(), waiting.lost), (WAITING_BYTES_MAX, 2));
        assert_eq!(waiting.newest_ms, 3, "of those that are kept");
    }
}
