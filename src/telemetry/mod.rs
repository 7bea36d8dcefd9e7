//! The three logs: the server's own and the audit log, both through `tracing`, and the access log.
//!
//! A log never stops the server. When a file cannot be written, lines are lost, and the loss is
//! reported on the console.

mod access_log;
mod audit_log;
mod console;
mod destination;
mod levels;
mod line_queue;
mod log_file;
mod rolling_file;
mod rotated_files;
mod stream;
mod timestamp;

pub use access_log::{AccessLog, AccessRecord};
pub use audit_log::{AuditLog, set_audited_node};
pub use console::say as say_on_console;
pub use destination::Destination;
pub use levels::STATE_TARGET;

use crate::audit::AUDIT_TARGET;
use crate::clock;
use crate::config::{LogFormat, LogSettings, RollingLogSettings};
use crate::locks::lock;
use audit_log::LINE_PREFIX;
use line_queue::LineQueue;
use log_file::LogFile;
use rotated_files::Retention;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use thiserror::Error;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// A failure to set up the log.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The file of a log cannot be opened.
    #[error("{key}={path}: cannot be opened")]
    Open {
        /// The key that names the file.
        key: &'static str,
        /// The file.
        path: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The process already has a log.
    #[error("the log is already set up")]
    Twice,
}

/// Sends this process's log lines to the console and to the file of `log.path`, and its audit
/// events to the audit log. The caller drops the returned audit log at the end of the process.
///
/// # Errors
/// Fails when a file cannot be opened, or on a second call.
pub fn init(
    settings: &LogSettings,
    audit_settings: &RollingLogSettings,
) -> Result<AuditLog, TelemetryError> {
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    if settings.console {
        layers.push(layer(settings.console_format, || OneLine(console::Console)));
    }
    if let Some(path) = &settings.path {
        let retention = Retention {
            file_bytes_max: settings.max_size_bytes,
            total_bytes_max: settings.max_total_size_bytes,
            days_max: None,
            compress: settings.compress,
        };
        let file = LogFile::open(path, retention, clock::wall_ms());
        let file = file.map_err(|source| TelemetryError::Open {
            key: "log.path",
            path: path.display().to_string(),
            source,
        })?;
        let file = SharedFile(Arc::new(Mutex::new(file)));
        layers.push(layer(settings.format, move || OneLine(file.clone())));
    }
    let filter = levels::targets(&settings.levels);
    let audit_log = open_audit_log(audit_settings)?;
    let audit_events = Targets::new().with_target(AUDIT_TARGET, LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(layers.with_filter(filter))
        .with(audit_log.layer().with_filter(audit_events))
        .try_init()
        .map_err(|_| TelemetryError::Twice)?;
    Ok(audit_log)
}

/// Opens the audit log, if it is enabled.
fn open_audit_log(settings: &RollingLogSettings) -> Result<AuditLog, TelemetryError> {
    if !settings.enabled {
        return Ok(AuditLog::disabled());
    }
    let opened = LogFile::open(&settings.path, Retention::of(settings), clock::wall_ms())
        .and_then(|file| LineQueue::start("audit log", LINE_PREFIX, file));
    opened
        .map(AuditLog::writing_to)
        .map_err(|source| TelemetryError::Open {
            key: "audit.log.path",
            path: settings.path.display().to_string(),
            source,
        })
}

/// Creates a layer that writes events as text (time, level, target, message and fields), or as one
/// JSON object with the same parts.
fn layer<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_timer(Utc)
        .with_writer(writer);
    match format {
        LogFormat::Text => Box::new(layer),
        LogFormat::Json => Box::new(
            layer
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false),
        ),
    }
}

/// The timestamp of a line, in UTC.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(&timestamp::rfc3339(clock::wall_ms()))
    }
}

/// A writer that keeps an event on one line, even if a client controls a field: line ends and other
/// control characters are escaped.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&one_line(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Escapes the control characters of an event. `tracing` passes a whole event at a time, with one
/// line end after it.
fn one_line(event: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(event.len());
    for byte in event.strip_suffix(b"\n").unwrap_or(event) {
        match byte {
            0..0x20 | 0x7f => line.extend(byte.escape_ascii()),
            _ => line.push(*byte),
        }
    }
    line.push(b'\n');
    line
}

/// The log file, which every thread writes to.
#[derive(Clone)]
struct SharedFile(Arc<Mutex<LogFile>>);

impl Write for SharedFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        lock(&self.0).write_lines(line, clock::wall_ms());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A client cannot forge a second log line.
    #[test]
    fn events_stay_on_one_line() {
        assert_eq!(
            one_line(b"a\nINFO forged\r\tb\x1b[31m\n"),
            b"a\\nINFO forged\\r\\tb\\x1b[31m\n"
        );
        assert_eq!(one_line("é\n".as_bytes()), "é\n".as_bytes());
    }

    /// A line of either format carries time, level, target, message and fields.
    #[test]
    fn formats() {
        let dir = tempfile::tempdir().expect("a directory");
        for (format, expected) in [
            (
                LogFormat::Text,
                "Z  INFO quorate::raft: leads term=3 node=\"a\"\n",
            ),
            (
                LogFormat::Json,
                "Z\",\"level\":\"INFO\",\"message\":\"leads\",\"term\":3,\"node\":\"a\",\
                 \"target\":\"quorate::raft\"}\n",
            ),
        ] {
            let path = dir.path().join("server.log");
            let retention = Retention {
                file_bytes_max: 1 << 20,
                total_bytes_max: 1 << 20,
                days_max: None,
                compress: false,
            };
            let file = LogFile::open(&path, retention, clock::wall_ms()).expect("opens");
            let file = SharedFile(Arc::new(Mutex::new(file)));
            let subscriber =
                tracing_subscriber::registry().with(layer(format, move || OneLine(file.clone())));
            tracing::subscriber::with_default(subscriber, || {
                tracing::info!(target: "quorate::raft", term = 3, node = "a", "leads");
            });
            let line = fs::read_to_string(&path).expect("was written");
            assert!(line.ends_with(expected), "{line}");
            fs::remove_file(&path).expect("was there");
        }
    }
}
