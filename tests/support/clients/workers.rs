//! Workers, and watchers that record every lookup in which a worker is missing. The workers renew
//! like those of an engine, three times within max-age.

use super::engines_secret::send_as_engine;
use super::http::{self, Pending};
use crate::support::etc::ENVIRONMENT;
use crate::support::node::{announcement_path, services};
use crate::support::wait::{let_pass, until};
use quorate::clock;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The service type of workers. Histories leave these services out, because a worker may send one
/// renewal to several servers, which a history would record as several operations.
pub const WORKER: &str = "worker";
/// Timeout after which a worker sends its renewal to the next server.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two attempts to renew.
const BACK_OFF: Duration = Duration::from_millis(50);
/// Time between two lookups of a watcher.
const LOOK: Duration = Duration::from_millis(100);
/// Timeout until all workers are announced. It is far longer than the announcements take.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(30);

/// The running workers, and for each server a watcher that looks them up without pause.
pub struct Workers {
    stop: Arc<AtomicBool>,
    renewals: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
    watchers: Vec<JoinHandle<SeenLookup>>,
}

/// The observations of the workers and the watchers.
#[derive(Debug, Default)]
pub struct SeenLookup {
    /// Number of accepted renewals.
    pub renewals: u64,
    /// Number of lookups that were answered.
    pub lookups: u64,
    /// For each lookup in which workers were missing: the server, and the missing workers.
    pub absences: Vec<String>,
}

impl Workers {
    /// Announces `count` workers, and returns when all are announced.
    pub fn start(count: usize, max_age: Duration, servers: &[SocketAddr]) -> Workers {
        let stop = Arc::new(AtomicBool::new(false));
        let renewals = Arc::new(AtomicU64::new(0));
        let threads = (0..count)
            .map(|number| {
                let (stop, renewals) = (stop.clone(), renewals.clone());
                let servers = servers.to_vec();
                thread::spawn(move || renew(number, max_age, &servers, &stop, &renewals))
            })
            .collect();
        until("all workers are announced", ANNOUNCED_WITHIN, || {
            (missing(servers[0], count)?.is_empty()).then_some(())
        });
        let watchers = servers
            .iter()
            .map(|server| {
                let (server, stop) = (*server, stop.clone());
                thread::spawn(move || watch(server, count, &stop))
            })
            .collect();
        Workers {
            stop,
            renewals,
            threads,
            watchers,
        }
    }

    /// Stops the workers without withdrawing them.
    pub fn stop(mut self) -> SeenLookup {
        self.stop.store(true, Ordering::Relaxed);
        let mut seen = SeenLookup::default();
        for watcher in self.watchers.drain(..) {
            let of_one = watcher.join().expect("a watcher understands every answer");
            seen.lookups += of_one.lookups;
            seen.absences.extend(of_one.absences);
        }
        for thread in self.threads.drain(..) {
            thread.join().expect("a worker understands every answer");
        }
        seen.renewals = self.renewals.load(Ordering::Relaxed);
        seen
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn id_of(number: usize) -> String {
    format!("worker-{number}")
}

/// Renews a worker at the right times until it is stopped. If a server fails, sends the renewal to
/// the next one.
fn renew(
    number: usize,
    max_age: Duration,
    servers: &[SocketAddr],
    stop: &AtomicBool,
    renewals: &AtomicU64,
) {
    let id = id_of(number);
    // The body has no token, so that a history ignores the log entries of workers.
    let body = json!({"environment": ENVIRONMENT, "nodeId": id, "pool": "general",
        "location": format!("/{id}"),
        "services": [{"id": format!("service-of-{id}"), "type": WORKER,
            "properties": {"http": "http://engine:1"}}]})
    .to_string();
    let path = announcement_path(&id);
    let mut server = number;
    while !stop.load(Ordering::Relaxed) {
        let address = servers[server % servers.len()];
        let sent = send_as_engine(address, "PUT", &path, Some(&body), PATIENCE);
        if sent
            .and_then(Pending::answer)
            .is_ok_and(|answer| answer.status == 202)
        {
            renewals.fetch_add(1, Ordering::Relaxed);
            let again_at = clock::now() + max_age / 3;
            while clock::now() < again_at && !stop.load(Ordering::Relaxed) {
                let_pass(BACK_OFF);
            }
        } else {
            server += 1;
            let_pass(BACK_OFF);
        }
    }
}

/// Looks up the workers without pause until the flag is set.
fn watch(server: SocketAddr, count: usize, stop: &AtomicBool) -> SeenLookup {
    let mut seen = SeenLookup::default();
    while !stop.load(Ordering::Relaxed) {
        let_pass(LOOK);
        if let Some(missing) = missing(server, count)
            && !stop.load(Ordering::Relaxed)
        {
            seen.lookups += 1;
            if !missing.is_empty() {
                seen.absences.push(format!("at {server}: {missing:?}"));
            }
        }
    }
    seen
}

/// Returns the workers that a lookup does not show, or `None` if it was not answered.
fn missing(server: SocketAddr, count: usize) -> Option<Vec<String>> {
    let path = format!("/v1/service/{WORKER}/general");
    let answer = http::request(server, "GET", &path, None, 2 * PATIENCE).ok()?;
    let found = services(&answer)?;
    let is_there = |id: &String| found.iter().any(|service| service["nodeId"] == **id);
    Some((0..count).map(id_of).filter(|id| !is_there(id)).collect())
}
