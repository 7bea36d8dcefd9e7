//! The figures of a load, as text and as JSON.

use super::figures::BenchFigures;
use super::load::LoadRunner;
use super::nodes::SimulatedEngines;
use super::workload::Workload;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The figures in printable form.
#[derive(Debug, Serialize)]
pub struct BenchReport {
    workload: Workload,
    servers: usize,
    clients: u32,
    nodes: u32,
    services: u64,
    /// Requested rate per second; `None` if each client sends its next request as soon as its last
    /// one is answered.
    asked_per_second: Option<u32>,
    /// The time at which the measurement began, in milliseconds since 1970. With the duration, it
    /// tells which part of what a server used belongs to the measured requests.
    measured_from_ms: u64,
    duration_s: f64,
    served: u64,
    rate_per_second: f64,
    bytes_per_answer: u64,
    latency_ms: BenchLatency,
    /// Number of failed requests by error.
    errors: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct BenchLatency {
    p50: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

impl BenchReport {
    /// Creates the report of a finished load.
    pub fn of(
        load: &LoadRunner,
        nodes: &SimulatedEngines,
        figures: &BenchFigures,
        measured_from_ms: u64,
    ) -> BenchReport {
        let latencies_ns = figures.latencies_ns();
        let at = |quantile| ms(latencies_ns.value_at_quantile(quantile));
        let served = figures.served();
        let answered = figures.answered();
        BenchReport {
            workload: load.workload,
            servers: load.servers.len(),
            clients: load.clients,
            nodes: nodes.count(),
            services: nodes.services(),
            asked_per_second: load.rate,
            measured_from_ms,
            duration_s: load.duration.as_secs_f64(),
            served,
            rate_per_second: answered as f64 / load.duration.as_secs_f64(),
            bytes_per_answer: figures.bytes() / served.max(1),
            latency_ms: BenchLatency {
                p50: at(0.5),
                p99: at(0.99),
                p99_9: at(0.999),
                max: ms(latencies_ns.max()),
            },
            errors: figures.errors(),
        }
    }

    /// Returns whether every request was served.
    pub fn is_flawless(&self) -> bool {
        self.errors.is_empty() && self.served > 0
    }

    /// Returns the report as JSON, for programs.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and texts are JSON")
    }
}

/// Converts nanoseconds to milliseconds, precise to a thousandth of a millisecond.
fn ms(latency_ns: u64) -> f64 {
    Duration::from_nanos(latency_ns).as_micros() as f64 / 1_000.0
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.workload {
            Workload::Lookup => "lookups",
            Workload::Change => "changed announcements",
            Workload::Renew => "renewals",
            Workload::Mix => "mixed requests",
        };
        let pace = match self.asked_per_second {
            Some(rate) => format!("at {rate}/s"),
            None => "as fast as they are answered".to_owned(),
        };
        writeln!(
            f,
            "{what}: {} clients on {} servers, {} nodes with {} services, {} s, {pace}",
            self.clients, self.servers, self.nodes, self.services, self.duration_s
        )?;
        writeln!(
            f,
            "rate    {:.0}/s, {} bytes per response",
            self.rate_per_second, self.bytes_per_answer
        )?;
        let BenchLatency {
            p50,
            p99,
            p99_9,
            max,
        } = self.latency_ms;
        writeln!(f, "ms      p50 {p50}  p99 {p99}  p99.9 {p99_9}  max {max}")?;
        let errors: u64 = self.errors.values().sum();
        writeln!(f, "errors  {errors}")?;
        for (error, count) in &self.errors {
            writeln!(f, "        {count} x {error}")?;
        }
        Ok(())
    }
}
