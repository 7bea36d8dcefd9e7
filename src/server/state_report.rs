//! The report of the activity of each part of the node. The report is logged on SIGQUIT, the signal
//! on which a JVM prints its threads.

use crate::clock::{self, Instant};
use crate::http::{UsageGauge, WireUsage};
use crate::raft::Node;
use crate::telemetry::STATE_TARGET;
use std::fs;
use std::sync::OnceLock;

/// Maximum number of threads that are listed.
const THREADS_MAX: usize = 64;
/// Duration of a clock tick, the unit in which Linux counts processor time.
const MS_PER_TICK: u64 = 10;

/// The sources of the report.
pub(super) struct StateReport {
    started: Instant,
    node: OnceLock<Node>,
    wire: UsageGauge,
}

impl StateReport {
    pub(super) fn new() -> StateReport {
        StateReport {
            started: clock::now(),
            node: OnceLock::new(),
            wire: UsageGauge::default(),
        }
    }

    /// Returns the gauge that the HTTP server updates.
    pub(super) fn wire(&self) -> UsageGauge {
        self.wire.clone()
    }

    /// Stores the node once it is started.
    pub(super) fn note_node(&self, node: Node) {
        // The cell is empty, because a process has only one node and stores it only once.
        let _first = self.node.set(node);
    }

    /// Writes the report to the log, one line per part.
    pub(super) async fn log(&self) {
        let mut lines = vec![self.process()];
        match self.node.get() {
            Some(node) => lines.extend(node.report().await),
            None => {
                lines.push("group: the node is starting and reads its data directory".to_owned())
            }
        }
        lines.push(wire(self.wire.read()));
        lines.push(runtime());
        lines.extend(threads());
        for line in lines {
            tracing::info!(target: STATE_TARGET, "{line}");
        }
        tracing::info!(target: STATE_TARGET, "end of the state");
    }

    fn process(&self) -> String {
        let up_s = self.started.elapsed().as_secs();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kb = |name: &str| field(&status, name).unwrap_or("unknown").to_owned();
        let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        format!(
            "process: version {}, pid {}, up {up_s} s, resident {}, peak {}, \
             threads {}, descriptors {descriptors}",
            env!("CARGO_PKG_VERSION"),
            std::process::id(),
            kb("VmRSS"),
            kb("VmHWM"),
            kb("Threads"),
        )
    }
}

/// Returns the value of a line `Name: value` of `/proc/self/status`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

fn wire(usage: Option<WireUsage>) -> String {
    match usage {
        None => "http: not serving yet".to_owned(),
        Some(usage) => format!(
            "http: connections {} of {}, held lookups {} of {}, watchers {} of {}",
            usage.connections,
            usage.connections_max,
            usage.held_lookups,
            usage.waiting_max,
            usage.watchers,
            usage.waiting_max,
        ),
    }
}

fn runtime() -> String {
    let metrics = tokio::runtime::Handle::current().metrics();
    format!(
        "runtime: workers {}, tasks {}, tasks waiting for a worker {}",
        metrics.num_workers(),
        metrics.num_alive_tasks(),
        metrics.global_queue_depth(),
    )
}

/// Returns one line per thread: its name, its state and its processor time.
fn threads() -> Vec<String> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let mut lines: Vec<String> = tasks
        .flatten()
        .filter_map(|task| thread(&fs::read_to_string(task.path().join("stat")).ok()?))
        .take(THREADS_MAX + 1)
        .collect();
    if lines.len() > THREADS_MAX {
        lines.truncate(THREADS_MAX);
        lines.push("thread: further threads are not listed".to_owned());
    }
    lines
}

/// Parses one thread's line of `/proc`: id, name in parentheses, state, and after 10 other fields
/// the processor times in user mode and in the kernel.
fn thread(stat: &str) -> Option<String> {
    let (id, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let state = match *fields.first()? {
        "R" => "runs",
        "S" => "waits",
        "D" => "waits for a device",
        "T" | "t" => "is stopped",
        other => other,
    };
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let processor_ms = (ticks(11)? + ticks(12)?) * MS_PER_TICK;
    Some(format!(
        "thread: {id} {name} {state}, processor time {processor_ms} ms"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread's line is parsed regardless of the characters in its name.
    #[test]
    fn threads_are_read() {
        let stat = "7 (a) b) D 1 2 3 4 5 6 7 8 9 10 20 5 0 0 20 0 9 0 1";
        assert_eq!(
            thread(stat).as_deref(),
            Some("thread: 7 a) b waits for a device, processor time 250 ms")
        );
        assert_eq!(thread("7 (a) R"), None);
        assert!(!threads().is_empty());
        assert_eq!(field("A: 1\nVmRSS:\t 12 kB\n", "VmRSS"), Some("12 kB"));
    }
}
