//! What a load came to.

use super::connection::{Answer, TIMEOUT};
use super::load::Load;
use super::nodes::Nodes;
use super::workload::Workload;
use hdrhistogram::Histogram;
use quorate::clock::{self, Instant};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Clients share so many tables of latencies: one each would be two hundred kilobytes for each of ten thousand.
const TABLES: usize = 16;
/// Latencies are told apart to a thousandth.
const DIGITS: u8 = 3;
/// Different errors that are counted apart.
const ERRORS_MAX: usize = 20;

/// The time that is measured.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub from: Instant,
    pub to: Instant,
}

/// What became of the requests that began within the window, or should have.
pub struct Figures {
    latencies_ns: Vec<Mutex<Histogram<u64>>>,
    served: AtomicU64,
    /// Answered within the window, whenever they began.
    answered: AtomicU64,
    bytes: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl Default for Figures {
    fn default() -> Figures {
        let table = || Histogram::new(DIGITS).expect("three digits are taken");
        Figures {
            latencies_ns: (0..TABLES).map(|_| Mutex::new(table())).collect(),
            served: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            errors: Mutex::default(),
        }
    }
}

impl Figures {
    /// What one request came to, that began then or should have.
    pub fn note(&self, client: u32, window: Window, began: Instant, asked: Result<Answer, String>) {
        let is_in = |at: Instant| (window.from..window.to).contains(&at);
        let is_served = asked.as_ref().is_ok_and(|a| a.status.is_success());
        if is_served && is_in(clock::now()) {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        if !is_in(began) {
            return;
        }
        // One that failed was not served, however soon it was told so: it counts as all of its time.
        let least = if is_served { Duration::ZERO } else { TIMEOUT };
        let latency_ns = began.elapsed().max(least).as_nanos() as u64;
        // A table that grows takes any value.
        let _ = locked(&self.latencies_ns[client as usize % TABLES]).record(latency_ns);
        let error = match asked {
            Ok(answer) if answer.status.is_success() => {
                self.served.fetch_add(1, Ordering::Relaxed);
                self.bytes.fetch_add(answer.bytes, Ordering::Relaxed);
                return;
            }
            Ok(answer) => answer.status.to_string(),
            Err(error) => error,
        };
        self.note_errors(error, 1);
    }

    /// So many requests failed, for this reason.
    pub fn note_errors(&self, error: String, count: u64) {
        let mut errors = locked(&self.errors);
        match errors.len() < ERRORS_MAX || errors.contains_key(&error) {
            true => *errors.entry(error).or_default() += count,
            false => *errors.entry("others".to_owned()).or_default() += count,
        }
    }

    /// How many requests were served so far.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    fn latencies_ns(&self) -> Histogram<u64> {
        let mut all = Histogram::new(DIGITS).expect("three digits are taken");
        for table in &self.latencies_ns {
            // Both grow.
            let _ = all.add(&*locked(table));
        }
        all
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The figures as they are printed.
#[derive(Debug, Serialize)]
pub struct Report {
    workload: Workload,
    servers: usize,
    clients: u32,
    nodes: u32,
    services: u64,
    /// Requests a second that were asked for; none: each client asks when it is answered.
    asked_per_second: Option<u32>,
    duration_s: f64,
    served: u64,
    rate_per_second: f64,
    bytes_per_answer: u64,
    latency_ms: Latency,
    /// By what went wrong.
    errors: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

impl Report {
    /// Of a load that is over.
    pub fn of(load: &Load, nodes: &Nodes, figures: &Figures) -> Report {
        let latencies_ns = figures.latencies_ns();
        let at = |quantile| ms(latencies_ns.value_at_quantile(quantile));
        let served = figures.served();
        let answered = figures.answered.load(Ordering::Relaxed);
        Report {
            workload: load.workload,
            servers: load.servers.len(),
            clients: load.clients,
            nodes: nodes.count(),
            services: nodes.services(),
            asked_per_second: load.rate,
            duration_s: load.duration.as_secs_f64(),
            served,
            rate_per_second: answered as f64 / load.duration.as_secs_f64(),
            bytes_per_answer: figures.bytes.load(Ordering::Relaxed) / served.max(1),
            latency_ms: Latency {
                p50: at(0.5),
                p99: at(0.99),
                p99_9: at(0.999),
                max: ms(latencies_ns.max()),
            },
            errors: locked(&figures.errors).clone(),
        }
    }

    /// Whether every request was served.
    pub fn is_flawless(&self) -> bool {
        self.errors.is_empty() && self.served > 0
    }

    /// For programs.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and texts are JSON")
    }
}

/// To a thousandth of a millisecond.
fn ms(latency_ns: u64) -> f64 {
    Duration::from_nanos(latency_ns).as_micros() as f64 / 1_000.0
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.workload {
            Workload::Lookup => "lookups",
            Workload::Change => "changed announcements",
            Workload::Renew => "renewals",
            Workload::Mix => "requests of all kinds",
        };
        let pace = match self.asked_per_second {
            Some(rate) => format!("{rate} a second asked for"),
            None => "as fast as they are answered".to_owned(),
        };
        writeln!(
            f,
            "{what}: {} clients on {} servers, {} nodes with {} services, {} s, {pace}",
            self.clients, self.servers, self.nodes, self.services, self.duration_s
        )?;
        writeln!(
            f,
            "rate    {:.0}/s, {} bytes an answer",
            self.rate_per_second, self.bytes_per_answer
        )?;
        let Latency {
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
