//! Clients that send requests, one after another or at a given rate.

use super::connection::{Address, BenchRequest, HttpConnection};
use super::figures::{BenchFigures, FiguresWindow};
use super::nodes::SimulatedEngines;
use super::progress::ProgressLine;
use super::workload::{BenchStep, Mix, Workload};
use http::Method;
use quorate::clock::{self, Instant};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Pause after a request without a response, so that a dead server is not asked thousands of times
/// per second.
const PAUSE: Duration = Duration::from_millis(50);

/// Time for which overdue requests are still sent after the end of the window. The latency of these
/// requests is part of the result.
const WORKED_OFF_WITHIN: Duration = Duration::from_secs(2);

/// Tolerance for late timers. A timer fires up to a millisecond late, and a little later on a busy
/// machine.
const TIMER_ROUNDS: Duration = Duration::from_millis(2);

/// The parameters of a load.
#[derive(Clone)]
pub struct LoadRunner {
    pub servers: Vec<Address>,
    pub clients: u32,
    pub workload: Workload,
    pub mix: Mix,
    /// The number of requests per second. With `None`, each client sends its next request as soon
    /// as the last response arrives.
    pub rate: Option<u32>,
    pub warm_up: Duration,
    pub duration: Duration,
}

impl LoadRunner {
    /// Runs the load and returns its figures.
    pub async fn run(&self, nodes: &Arc<SimulatedEngines>) -> Arc<BenchFigures> {
        let figures = Arc::new(BenchFigures::default());
        let schedule = Arc::new(Schedule::new(self));
        let progress = ProgressLine::start(self.warm_up + self.duration, figures.clone());
        let mut clients = JoinSet::new();
        for number in 0..self.clients {
            let client = BenchClient {
                number,
                load: self.clone(),
                nodes: nodes.clone(),
                schedule: schedule.clone(),
                figures: figures.clone(),
            };
            clients.spawn(client.run());
        }
        clients.join_all().await;
        progress.finish();
        let unasked = schedule.unasked();
        if unasked > 0 {
            let error = "not sent: every client was waiting for a response".to_owned();
            figures.note_errors(error, unasked);
        }
        figures
    }
}

/// The start times of the requests.
struct Schedule {
    window: FiguresWindow,
    /// Time between two requests of the whole load; `None` if the load has no rate.
    spacing: Option<Duration>,
    next: AtomicU64,
    began: Instant,
}

impl Schedule {
    fn new(load: &LoadRunner) -> Schedule {
        let began = clock::now();
        let from = began + load.warm_up;
        Schedule {
            window: FiguresWindow {
                from,
                to: from + load.duration,
            },
            spacing: load.rate.map(|rate| Duration::from_secs(1) / rate),
            next: AtomicU64::new(0),
            began,
        }
    }

    /// Returns the number of requests that were due within the window and never sent.
    fn unasked(&self) -> u64 {
        let Some(spacing) = self.spacing else {
            return 0;
        };
        let due = |until: Instant| {
            let lasts = until.duration_since(self.began);
            lasts.div_duration_f64(spacing) as u64
        };
        let asked = self.next.load(Ordering::Relaxed);
        due(self.window.to).saturating_sub(asked.max(due(self.window.from)))
    }

    /// Waits until the next request is due, and returns its number and its due time. Returns `None`
    /// when the load is over.
    async fn next(&self) -> Option<(u64, Instant)> {
        if clock::now() > self.window.to + WORKED_OFF_WITHIN {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let begins = match self.spacing {
            None => clock::now(),
            Some(spacing) => {
                let begins = self.began + spacing.mul_f64(number as f64);
                tokio::time::sleep_until(begins.min(self.window.to)).await;
                // A delay below `TIMER_ROUNDS` is attributed to the timer and does not count as a
                // latency of the cluster. A longer delay counts.
                match clock::now() {
                    woke if woke < begins + TIMER_ROUNDS => begins.max(woke),
                    _ => begins,
                }
            }
        };
        (begins < self.window.to).then_some((number, begins))
    }
}

/// One client of a load, with its own connection.
struct BenchClient {
    number: u32,
    load: LoadRunner,
    nodes: Arc<SimulatedEngines>,
    schedule: Arc<Schedule>,
    figures: Arc<BenchFigures>,
}

impl BenchClient {
    /// Sends one due request after another, until the load is over.
    async fn run(self) {
        let lookup = self.nodes.lookup_path();
        let mut server = self.number as usize;
        let mut connection = self.connection(server);
        let mut own = self.own_nodes().cycle();
        while let Some((number, begins)) = self.schedule.next().await {
            let step = self.load.workload.step(self.load.mix, number);
            let node = own.next().unwrap_or_default();
            let guard = match step {
                BenchStep::Lookup => None,
                BenchStep::Change | BenchStep::Renew => Some(self.nodes.write_lock(node).await),
            };
            let own_path;
            let request = match step {
                BenchStep::Lookup => BenchRequest::get(&lookup),
                BenchStep::Change | BenchStep::Renew => {
                    own_path = self.nodes.path(node);
                    BenchRequest {
                        method: Method::PUT,
                        path: &own_path,
                        body: match step {
                            BenchStep::Change => self.nodes.change(node),
                            _ => self.nodes.renewal(node),
                        },
                        engine_token: self.nodes.engine_token(node),
                    }
                }
            };
            let asked = connection.ask(request).await;
            drop(guard);
            let is_lost = asked.is_err();
            self.figures
                .note(self.number, self.schedule.window, begins, asked);
            if is_lost {
                server += 1;
                connection = self.connection(server);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn connection(&self, server: usize) -> HttpConnection {
        let servers = &self.load.servers;
        HttpConnection::new(servers[server % servers.len()].clone())
    }

    /// Returns the nodes that only this client writes. If there are fewer nodes than clients,
    /// returns one node, which other clients may write too.
    fn own_nodes(&self) -> impl Iterator<Item = u32> + Clone + use<> {
        let count = self.nodes.count();
        let first = self.number % count;
        let step = self.load.clients.min(count);
        (first..count).step_by(step as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request that was never sent counts as missed if it was due in the measured window, but not
    /// if it was due in the warm-up.
    #[test]
    fn the_warm_up_is_not_missed() {
        let load = LoadRunner {
            servers: Vec::new(),
            clients: 1,
            workload: Workload::Lookup,
            mix: "lookup=100".parse().expect("a mix"),
            rate: Some(100),
            warm_up: Duration::from_secs(1),
            duration: Duration::from_secs(2),
        };
        let schedule = Schedule::new(&load);
        for (asked, unasked) in [(0, 200), (50, 200), (100, 200), (250, 50), (300, 0)] {
            schedule.next.store(asked, Ordering::Relaxed);
            assert_eq!(schedule.unasked(), unasked, "after {asked}");
        }
    }
}
