//! The access log, in the format of airlift 233: tab-separated, one line per request.

use super::line_queue::LineQueue;
use super::log_file::LogFile;
use super::rotated_files::Retention;
use crate::config::RollingLogSettings;
use std::io;

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

/// Initial capacity of the buffer for a line, which most lines do not exceed.
const LINE_BYTES: usize = 256;

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
    pub fn open(settings: &RollingLogSettings) -> io::Result<Self> {
        if !settings.enabled {
            return Ok(Self(None));
        }
        let file = LogFile::open(
            &settings.path,
            Retention::of(settings),
            crate::clock::wall_ms(),
        )?;
        Ok(Self(Some(LineQueue::start("access log", "", file)?)))
    }

    /// Queues a line for the writer without waiting. If the queue is full, the line is dropped, and
    /// the server's log reports the number of dropped lines.
    pub fn record(&self, record: &AccessRecord<'_>) {
        if let Some(queue) = &self.0 {
            queue.push(record.time_ms, rest_of_line(record).as_bytes());
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
    use crate::telemetry::timestamp;
    use std::path::Path;
    use std::thread;

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

    fn settings(dir: &Path) -> RollingLogSettings {
        RollingLogSettings {
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
