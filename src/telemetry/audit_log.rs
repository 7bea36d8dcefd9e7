//! The audit log: one JSON object per line, for each event with the target
//! [`AUDIT_TARGET`](crate::audit::AUDIT_TARGET).

use super::line_queue::LineQueue;
use crate::clock;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, OnceLock, Weak};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The text before the time of a line.
pub(super) const LINE_PREFIX: &str = "{\"time\":\"";

/// The node id that each line has. Unset until the server has determined it.
static NODE_ID: OnceLock<String> = OnceLock::new();

/// Sets the node id that the lines of this process have. Only the first call has an effect.
pub fn set_audited_node(node_id: &str) {
    NODE_ID.get_or_init(|| node_id.to_owned());
}

/// The audit log's open file. Dropping it writes the waiting lines; later events are lost.
#[derive(Debug)]
pub struct AuditLog(Option<Arc<LineQueue>>);

impl AuditLog {
    /// Creates a log that writes no lines.
    pub(super) fn disabled() -> AuditLog {
        AuditLog(None)
    }

    pub(super) fn writing_to(lines: LineQueue) -> AuditLog {
        AuditLog(Some(Arc::new(lines)))
    }

    /// Returns the layer that writes each of its events to the log. The caller filters the events.
    pub(super) fn layer(&self) -> Option<AuditLayer> {
        let lines = self.0.as_ref().map(Arc::downgrade)?;
        Some(AuditLayer { lines })
    }
}

/// The layer that turns events into lines.
pub(super) struct AuditLayer {
    lines: Weak<LineQueue>,
}

impl<S: Subscriber> Layer<S> for AuditLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if let Some(lines) = self.lines.upgrade() {
            lines.push(clock::wall_ms(), &rest_of_line(event));
        }
    }
}

/// Formats an event as the end of a JSON object, after the value of the first member, which is the
/// time.
fn rest_of_line(event: &Event<'_>) -> Vec<u8> {
    let mut members = JsonMembers::new();
    if let Some(node_id) = NODE_ID.get() {
        members.push_text("node", node_id);
    }
    event.record(&mut members);
    members.finish()
}

/// The members of a JSON object, as they are appended. At full load a node writes an event for each
/// of thousands of changes a second, so nothing is allocated for a single member.
struct JsonMembers {
    json: Vec<u8>,
    /// A value that is formatted before it is escaped.
    formatted: String,
}

impl JsonMembers {
    /// Capacity for a line, which is enough for most events.
    const CAPACITY_BYTES: usize = 512;

    fn new() -> JsonMembers {
        let mut json = Vec::with_capacity(JsonMembers::CAPACITY_BYTES);
        json.push(b'"');
        JsonMembers {
            json,
            formatted: String::new(),
        }
    }

    /// Appends a member. Names of fields are identifiers, which need no escapes.
    fn push_text(&mut self, name: &str, value: &str) {
        self.push_name(name);
        push_json(&mut self.json, value);
    }

    fn push_name(&mut self, name: &str) {
        for part in [",\"", name, "\":"] {
            self.json.extend_from_slice(part.as_bytes());
        }
    }

    fn push_plain(&mut self, field: &Field, value: impl fmt::Display) {
        self.push_name(field.name());
        let _infallible = write!(self.json, "{value}");
    }

    fn finish(mut self) -> Vec<u8> {
        self.json.extend_from_slice(b"}\n");
        self.json
    }
}

impl Visit for JsonMembers {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push_plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push_plain(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_text(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = match field.name() {
            "message" => "event",
            name => name,
        };
        self.formatted.clear();
        let _infallible = fmt::write(&mut self.formatted, format_args!("{value:?}"));
        self.push_name(name);
        push_json(&mut self.json, &self.formatted);
    }
}

/// Appends a text as a JSON string, in which all control characters are escaped.
fn push_json(json: &mut Vec<u8>, text: &str) {
    // Writing to memory does not fail.
    let _infallible = serde_json::to_writer(json, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::log_file::LogFile;
    use crate::telemetry::rotated_files::Retention;
    use tracing_subscriber::layer::SubscriberExt;

    /// Each event is one line with one JSON object, whatever its fields contain. All lines are
    /// written before the drop of the log returns.
    #[test]
    fn events_are_json() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit.log");
        let retention = Retention {
            file_bytes_max: 1 << 20,
            total_bytes_max: 1 << 20,
            days_max: None,
            compress: false,
        };
        let file = LogFile::open(&path, retention, clock::wall_ms()).expect("opens");
        let lines = LineQueue::start("audit log", LINE_PREFIX, file).expect("starts");
        let log = AuditLog::writing_to(lines);
        let subscriber = tracing_subscriber::registry().with(log.layer());
        tracing::subscriber::with_default(subscriber, || {
            let forged = "w1\"}\n{\"event\":\"start";
            tracing::info!(index = 7_u64, id = forged, principal = %"token:ops", "change");
            tracing::info!("start");
        });
        drop(log);
        let text = std::fs::read_to_string(&path).expect("written");
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0]["event"], "change");
        assert_eq!(lines[0]["index"], 7);
        assert_eq!(lines[0]["id"], "w1\"}\n{\"event\":\"start");
        assert_eq!(lines[0]["principal"], "token:ops");
        assert_eq!(lines[1]["event"], "start");
        assert!(
            lines[1]["time"].as_str().expect("a time").ends_with('Z'),
            "{text}"
        );
    }
}
