//! The access log, in the format of airlift 233: tab-separated, one line per request.

use super::log_file::LogFile;
use super::rotated_files::Retention;
use super::timestamp;
use crate::config::AccessLogSettings;
use crate::locks::lock;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The record of one answered request.
#[derive(Debug, Clone)]
pub struct AccessRecord<'a> {
    /// The time of arrival, in milliseconds since the Unix epoch (`clock::wall_ms`).
    pub time_ms: u64,
    /// The client's IP address.
    pub client: &'a str,
    /// The method, such as `GET`.
    pub method: &'a str,
    /// Path and query, as received.
    pub uri: &'a str,
    /// The `User-Agent`.
    pub agent: Option<&'a str>,
    /// The status of the response.
    pub status: u16,
    /// Number of bytes of the request's body.
    pub request_bytes: u64,
    /// Number of bytes of the response's body, as sent.
    pub response_bytes: u64,
    /// The `X-Airlift-TraceToken`.
    pub trace_token: Option<&'a str>,
    /// The protocol, such as `HTTP/1.1`.
    pub protocol: &'a str,
    /// Time from the request's arrival to the start of its handling.
    pub dispatch_ms: u64,
    /// Time from the request's arrival to the end of its response.
    pub total_ms: u64,
}

/// Maximum size of the lines that wait for the disk, which is some 20,000 lines. Further lines are
/// dropped, so that no request is delayed. airlift limits the number of lines instead
/// (`http-server.log.queue-size`). Here the limit is in bytes, because a client can make each line
/// long.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// Initial capacity of the buffer for a line, which most lines do not exceed.
const LINE_BYTES: usize = 256;

/// Time for which the first line waits for more lines, so that all are written together. On a busy
/// node, waking the thread for each line would cost more than the response does.
const GATHER_TIME: Duration = Duration::from_millis(50);

/// The destination of access records. If `http-server.log.enabled=false`, records are dropped.
///
/// A separate thread writes the records, because a slow disk must not delay the tasks that serve
/// requests. Dropping the `AccessLog` writes the waiting lines. A process that is killed loses its
/// most recent lines.
#[derive(Debug)]
pub struct AccessLog(Option<LineQueue>);

impl AccessLog {
    /// Opens the log.
    ///
    /// # Errors
    /// Returns the operating system's error when the file cannot be opened or the thread cannot be
    /// started.
    pub fn open(settings: &AccessLogSettings) -> io::Result<Self> {
        if !settings.enabled {
            return Ok(Self(None));
        }
        let retention = Retention {
            file_bytes_max: settings.max_size_bytes,
            // airlift limits only the number of days, which does not limit the size on a busy day.
            total_bytes_max: settings
                .max_size_bytes
                .saturating_mul(settings.max_history_days),
            days_max: Some(settings.max_history_days),
            compress: settings.compress,
        };
        let file = LogFile::open(&settings.path, retention, crate::clock::wall_ms())?;
        Ok(Self(Some(LineQueue::start(file)?)))
    }

    /// Queues a line for the writer without waiting. If the queue is full, the line is dropped, and
    /// the server's log reports the number of dropped lines.
    pub fn record(&self, record: &AccessRecord<'_>) {
        if let Some(queue) = &self.0 {
            queue.push(record.time_ms, &rest_of_line(record));
        }
    }
}

/// The queue of lines for the file.
#[derive(Debug)]
struct LineQueue {
    shared: Arc<QueueShared>,
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
    /// Starts the thread that writes the queued lines to the file.
    fn start(mut file: LogFile) -> io::Result<Self> {
        let shared = Arc::new(QueueShared::default());
        let lines = Arc::clone(&shared);
        let write = move || {
            let mut gathered = QueuedLines::default();
            while !gathered.ends {
                lines.take_lines(&mut gathered);
                file.write_lines(&gathered.lines, gathered.newest_ms);
                if gathered.lost > 0 {
                    let lines = gathered.lost;
                    tracing::warn!(lines, "the access log's disk is too slow: lines were lost");
                }
            }
        };
        let writer = thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(write)?;
        Ok(Self {
            shared,
            writer: Some(writer),
        })
    }

    /// Queues a line, and notifies the writer if necessary.
    fn push(&self, time_ms: u64, rest: &str) {
        if self.shared.lock().push(time_ms, rest) {
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

    /// Appends a line, given as its time and its other columns. Returns whether the writer must be
    /// notified, because the line is the first that waits or makes the queue half full.
    fn push(&mut self, time_ms: u64, rest: &str) -> bool {
        let (was_empty, was_half_full) = (self.is_empty(), self.is_half_full());
        if self.written_time.0 != time_ms || self.written_time.1.is_empty() {
            self.written_time = (time_ms, timestamp::rfc3339(time_ms));
        }
        let time = &self.written_time.1;
        if self.lines.len() + time.len() + rest.len() > WAITING_BYTES_MAX {
            self.lost += 1;
        } else {
            self.lines.extend_from_slice(time.as_bytes());
            self.lines.extend_from_slice(rest.as_bytes());
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

/// Formats the columns of airlift's `HttpLogLayout` after the first, which is the time. There are
/// sixteen columns in all. The user is never known here. The last two columns, about the gaps
/// between the pieces of a response, are not measured.
fn rest_of_line(record: &AccessRecord<'_>) -> String {
    let mut line = String::with_capacity(LINE_BYTES);
    for text in [
        Some(record.client),
        Some(record.method),
        Some(record.uri),
        None,
        record.agent,
    ] {
        push(&mut line, text);
    }
    for number in [
        record.status.into(),
        record.request_bytes,
        record.response_bytes,
        record.total_ms,
    ] {
        push_number(&mut line, number);
    }
    push(&mut line, record.trace_token);
    push(&mut line, Some(record.protocol));
    push_number(&mut line, record.dispatch_ms);
    push_number(&mut line, record.total_ms);
    line.push_str("\t-1\tnull\n");
    line
}

fn push_number(line: &mut String, number: u64) {
    line.push('\t');
    line.push_str(itoa::Buffer::new().format(number));
}

/// Appends a column of text. An absent value is `null`, as Java prints it. Control characters are
/// escaped, because they would break the columns.
fn push(line: &mut String, text: Option<&str>) {
    line.push('\t');
    let text = text.unwrap_or("null");
    // Nearly all values are printable ASCII, which is detected without decoding. The fold does not
    // stop at the first byte of another kind, because without an early exit many bytes are compared
    // at once.
    let plain = text
        .bytes()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    if plain {
        return line.push_str(text);
    }
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default())
        } else {
            line.push(c)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn line(record: &AccessRecord<'_>) -> String {
        timestamp::rfc3339(record.time_ms) + &rest_of_line(record)
    }

    fn record() -> AccessRecord<'static> {
        AccessRecord {
            time_ms: 1_709_208_000_000,
            client: "127.0.0.1",
            method: "PUT",
            uri: "/v1/announcement/a?x=1",
            agent: Some("Mozilla\tforged\n"),
            status: 202,
            request_bytes: 480,
            response_bytes: 0,
            trace_token: None,
            protocol: "HTTP/1.1",
            dispatch_ms: 0,
            total_ms: 3,
        }
    }

    fn settings(dir: &Path) -> AccessLogSettings {
        AccessLogSettings {
            enabled: true,
            path: dir.join("var/log/http-request.log"),
            max_size_bytes: 1 << 20,
            max_history_days: 15,
            compress: true,
        }
    }

    /// The columns are those of airlift, in airlift's order, and a client cannot add any.
    #[test]
    fn columns_are_airlifts() {
        let expected = concat!(
            "2024-02-29T12:00:00.000Z\t127.0.0.1\tPUT\t/v1/announcement/a?x=1\tnull\t",
            "Mozilla\\tforged\\n\t202\t480\t0\t3\tnull\tHTTP/1.1\t0\t3\t-1\tnull\n"
        );
        assert_eq!(line(&record()), expected);
        assert_eq!(expected.matches('\t').count(), 15);
    }

    /// A full queue drops and counts lines. It does not block.
    #[test]
    fn a_full_queue_loses_lines() {
        let mut waiting = QueuedLines::default();
        let time_bytes = timestamp::rfc3339(0).len();
        let rest = format!("{}\n", "x".repeat(WAITING_BYTES_MAX / 4 - time_bytes - 1));
        let notified: Vec<_> = (0..6).map(|time_ms| waiting.push(time_ms, &rest)).collect();
        assert_eq!(notified, [true, true, false, false, false, false]);
        assert_eq!((waiting.lines.len(), waiting.lost), (WAITING_BYTES_MAX, 2));
        assert_eq!(waiting.newest_ms, 3, "of those that are kept");
    }

    /// Lines that many threads record at the same time are written whole. All lines are written
    /// before the drop of the log returns.
    #[test]
    fn every_line_is_written_before_the_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = settings(dir.path());
        let log = AccessLog::open(&settings).expect("opens");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| log.record(&record())));
            }
        });
        drop(log);
        let written = std::fs::read_to_string(&settings.path).expect("written");
        assert_eq!(written, line(&record()).repeat(2_000));
    }

    /// The log is written to its file, and to no file if it is disabled.
    #[test]
    fn writes_to_its_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut settings = settings(dir.path());
        AccessLog::open(&settings).expect("opens").record(&record());
        assert!(
            std::fs::read_to_string(&settings.path)
                .expect("written")
                .contains("/v1/announcement/a")
        );

        settings.enabled = false;
        settings.path = dir.path().join("other.log");
        AccessLog::open(&settings)
            .expect("needs nothing")
            .record(&record());
        assert!(!settings.path.exists());
    }
}
