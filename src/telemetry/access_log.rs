//! The access log, in the format of airlift 233: tab-separated, one line a request.

use super::rolling_file::{Retention, RollingFile};
use super::timestamp;
use crate::config::AccessLogSettings;
use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// One answered request.
#[derive(Debug, Clone)]
pub struct AccessRecord<'a> {
    /// When it came, in milliseconds since the Unix epoch (`clock::wall_ms`).
    pub time_ms: u64,
    /// The client's IP address.
    pub client: &'a str,
    /// `GET`
    pub method: &'a str,
    /// Path and query, as they came.
    pub uri: &'a str,
    /// The `User-Agent`.
    pub agent: Option<&'a str>,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body, as sent.
    pub response_bytes: u64,
    /// The `X-Airlift-TraceToken`.
    pub trace_token: Option<&'a str>,
    /// `HTTP/1.1`
    pub protocol: &'a str,
    /// From the request's arrival to the start of its handling.
    pub dispatch_ms: u64,
    /// From the request's arrival to the end of its answer.
    pub total_ms: u64,
}

/// The lines that wait for the disk, as airlift's `http-server.log.queue-size`: beyond it lines are lost rather than requests held up.
const QUEUE_LINES_MAX: usize = 10_000;

/// Where access records go; nowhere when `http-server.log.enabled=false`.
///
/// A thread of its own writes them, since a slow disk must not hold up the tasks that answer. Dropping it writes what waits.
#[derive(Debug)]
pub struct AccessLog(Option<Queue>);

impl AccessLog {
    /// Opens the log.
    ///
    /// # Errors
    /// The operating system's, when the file cannot be opened or no thread started.
    pub fn open(settings: &AccessLogSettings) -> io::Result<Self> {
        if !settings.enabled {
            return Ok(Self(None));
        }
        let retention = Retention {
            file_bytes_max: settings.max_size_bytes,
            // airlift limits only the days, which a busy day makes no limit at all.
            total_bytes_max: settings
                .max_size_bytes
                .saturating_mul(settings.max_history_days),
            days_max: Some(settings.max_history_days),
            compress: settings.compress,
        };
        let file = RollingFile::open(&settings.path, retention, crate::clock::wall_ms())?;
        Ok(Self(Some(Queue::start(file)?)))
    }

    /// Hands a line to the writer, at once. One that finds the queue full is lost, and counted in the server's log.
    pub fn record(&self, record: &AccessRecord<'_>) {
        if let Some(queue) = &self.0 {
            queue.push(record.time_ms, line(record));
        }
    }
}

/// The lines on their way to the file.
#[derive(Debug)]
struct Queue {
    /// `None` only while it is dropped.
    lines: Option<SyncSender<(u64, String)>>,
    lost: Arc<AtomicU64>,
    writer: Option<JoinHandle<()>>,
}

impl Queue {
    fn start(mut file: RollingFile) -> io::Result<Self> {
        let (lines, waiting) = sync_channel::<(u64, String)>(QUEUE_LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        let write = move || {
            for (time_ms, line) in waiting {
                file.write_line(line.as_bytes(), time_ms);
                match counted.swap(0, Ordering::Relaxed) {
                    0 => {}
                    lines => {
                        tracing::warn!(lines, "the access log's disk is too slow: lines were lost")
                    }
                }
            }
        };
        let writer = thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(write)?;
        Ok(Self {
            lines: Some(lines),
            lost,
            writer: Some(writer),
        })
    }

    fn push(&self, time_ms: u64, line: String) {
        let pushed = self
            .lines
            .as_ref()
            .map(|lines| lines.try_send((time_ms, line)));
        if !matches!(pushed, Some(Ok(()))) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // Without a sender the writer ends once it has written what waits.
        self.lines = None;
        if let Some(writer) = self.writer.take() {
            let _panicked = writer.join();
        }
    }
}

/// The sixteen columns of airlift's `HttpLogLayout`. The user is never known here, and the last two, on the gaps between the
/// pieces of an answer, are not measured.
fn line(record: &AccessRecord<'_>) -> String {
    let mut line = timestamp::rfc3339(record.time_ms);
    for text in [
        Some(record.client),
        Some(record.method),
        Some(record.uri),
        None,
        record.agent,
    ] {
        push(&mut line, text);
    }
    let _infallible = write!(
        line,
        "\t{}\t{}\t{}\t{}",
        record.status, record.request_bytes, record.response_bytes, record.total_ms
    );
    push(&mut line, record.trace_token);
    push(&mut line, Some(record.protocol));
    let _infallible = writeln!(
        line,
        "\t{}\t{}\t-1\tnull",
        record.dispatch_ms, record.total_ms
    );
    line
}

/// A column of text; what is absent is `null`, as Java prints it. Control characters would break the columns.
fn push(line: &mut String, text: Option<&str>) {
    line.push('\t');
    for c in text.unwrap_or("null").chars() {
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

    /// The columns are airlift's, in its order, and a client cannot add any.
    #[test]
    fn columns_are_airlifts() {
        let expected = "2024-02-29T12:00:00.000Z\t127.0.0.1\tPUT\t/v1/announcement/a?x=1\tnull\tMozilla\\tforged\\n\t202\t480\t0\t3\tnull\tHTTP/1.1\t0\t3\t-1\tnull\n";
        assert_eq!(line(&record()), expected);
        assert_eq!(expected.matches('\t').count(), 15);
    }

    /// A queue that is full loses lines and says how many; it does not wait.
    #[test]
    fn a_full_queue_loses_lines() {
        let (lines, waiting) = sync_channel(1);
        let queue = Queue {
            lines: Some(lines),
            lost: Arc::default(),
            writer: None,
        };
        for _ in 0..3 {
            queue.push(0, "x\n".to_owned());
        }
        assert_eq!(queue.lost.load(Ordering::Relaxed), 2);
        drop(queue);
        assert_eq!(waiting.into_iter().count(), 1);
    }

    /// The log goes to its file, and to none when it is switched off.
    #[test]
    fn writes_to_its_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut settings = AccessLogSettings {
            enabled: true,
            path: dir.path().join("var/log/http-request.log"),
            max_size_bytes: 1 << 20,
            max_history_days: 15,
            compress: true,
        };
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
