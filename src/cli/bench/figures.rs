//! The results of a load.

use super::connection::{HttpAnswer, TIMEOUT};
use hdrhistogram::Histogram;
use quorate::clock::{self, Instant};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Number of histograms. The clients share them, because one histogram per client would take 200 kB
/// for each of 10,000 clients.
const TABLES: usize = 16;
/// Number of significant digits of a latency. With three digits, a latency is precise to a
/// thousandth.
const DIGITS: u8 = 3;
/// Maximum number of different errors that are counted separately. Further errors are counted
/// together as `others`.
const ERRORS_MAX: usize = 20;

/// The time window that is measured.
#[derive(Debug, Clone, Copy)]
pub struct FiguresWindow {
    pub from: Instant,
    pub to: Instant,
}

/// The results of the requests that began, or were due, within the window.
pub struct BenchFigures {
    latencies_ns: Vec<Mutex<Histogram<u64>>>,
    served: AtomicU64,
    /// Number of requests answered within the window, regardless of when they began.
    answered: AtomicU64,
    bytes: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl Default for BenchFigures {
    fn default() -> BenchFigures {
        let table = || Histogram::new(DIGITS).expect("three digits are taken");
        BenchFigures {
            latencies_ns: (0..TABLES).map(|_| Mutex::new(table())).collect(),
            served: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            errors: Mutex::default(),
        }
    }
}

impl BenchFigures {
    /// Records the result of one request that began, or was due, at `began`.
    pub fn note(
        &self,
        client: u32,
        window: FiguresWindow,
        began: Instant,
        asked: Result<HttpAnswer, String>,
    ) {
        let is_in = |at: Instant| (window.from..window.to).contains(&at);
        let is_served = asked.as_ref().is_ok_and(|a| a.status.is_success());
        if is_served && is_in(clock::now()) {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        if !is_in(began) {
            return;
        }
        // A failed request is recorded with a latency of at least the timeout, because the request
        // was not served.
        let least = if is_served { Duration::ZERO } else { TIMEOUT };
        let latency_ns = began.elapsed().max(least).as_nanos() as u64;
        // The histogram resizes itself, so it accepts any value.
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

    /// Records that `count` requests failed with this error.
    pub fn note_errors(&self, error: String, count: u64) {
        let mut errors = locked(&self.errors);
        match errors.len() < ERRORS_MAX || errors.contains_key(&error) {
            true => *errors.entry(error).or_default() += count,
            false => *errors.entry("others".to_owned()).or_default() += count,
        }
    }

    /// Returns the number of requests served so far.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Returns how many requests were answered within the window.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes in the bodies of the served requests.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns how often each error occurred.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        locked(&self.errors).clone()
    }

    /// Returns the latencies of all requests.
    pub fn latencies_ns(&self) -> Histogram<u64> {
        let mut all = Histogram::new(DIGITS).expect("three digits are taken");
        for table in &self.latencies_ns {
            // Both histograms resize themselves, so the addition cannot fail.
            let _ = all.add(&*locked(table));
        }
        all
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
