//! What a load came to.

use super::connection::{Answer, TIMEOUT};
use hdrhistogram::Histogram;
use quorate::clock::{self, Instant};
use std::collections::BTreeMap;
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

    /// Returns how many requests were answered within the window.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Returns how many bytes the served requests brought.
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
            // Both grow.
            let _ = all.add(&*locked(table));
        }
        all
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
