//! The requests and responses of clients, checked against the history.

use crate::records::history::{History, TYPE};
use crate::rng::Chance;
use quorate::model::{Announcement, Lookup, Service};
use quorate::registry::Command;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Timeout of a client's request.
pub const CLIENT_WAITS: Duration = Duration::from_secs(2);
/// Tolerance on top of the client's timeout, because a write is given up a little after its
/// deadline, and clocks are coarse.
const SLACK: Duration = Duration::from_millis(50);
/// Number of workers. A worker is a node id that clients announce.
const WORKERS: usize = 16;
/// Number of workers that several clients may write concurrently.
const SHARED: usize = 8;
/// Maximum number of concurrent writes of a worker that several clients may write.
const WRITERS: usize = 3;

/// Number of tokens that each worker has: worker `n` announces tokens above `n * TOKENS`.
pub const TOKENS: u64 = 1_000_000;

/// A write that a client requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimRequest {
    /// An announcement or a renewal.
    Announce(Announcement),
    /// A withdrawal.
    Withdraw(String),
}

impl SimRequest {
    /// Returns the node that the write changes.
    pub fn node_id(&self) -> &str {
        match self {
            SimRequest::Announce(announcement) => &announcement.node_id,
            SimRequest::Withdraw(node_id) => node_id,
        }
    }

    /// Returns whether a committed command is this write.
    fn is(&self, command: &Command) -> bool {
        match (self, command) {
            (
                SimRequest::Announce(requested),
                Command::Announce { announcement, .. }
                | Command::OrderedAnnounce { announcement, .. },
            ) => requested == announcement,
            (
                SimRequest::Announce(requested),
                Command::Renew {
                    node_id, digest, ..
                }
                | Command::OrderedRenew {
                    node_id, digest, ..
                },
            ) => requested.node_id == *node_id && requested.digest() == *digest,
            (
                SimRequest::Withdraw(requested),
                Command::Withdraw { node_id, .. } | Command::OrderedWithdraw { node_id, .. },
            ) => requested == node_id,
            _ => false,
        }
    }
}

/// An acknowledged write.
#[derive(Debug)]
struct AcknowledgedWrite {
    request: SimRequest,
    index: u64,
}

/// A served lookup.
#[derive(Debug, Clone)]
pub struct Served {
    /// The host that served the lookup.
    pub host: usize,
    /// The requested lookup.
    pub lookup: Lookup,
    /// The index of the response.
    pub index: u64,
    /// The tag of the response: a digest of its body.
    pub tag: String,
    /// The highest index in any response before the lookup began.
    pub floor: u64,
}

/// The state of a node id that clients announce.
#[derive(Debug, Default)]
struct Worker {
    /// The number of writes of this worker that are in progress.
    underway: usize,
    announced: Option<Announcement>,
    next_at: Duration,
    serial: u64,
}

/// The requests of clients and the responses to them.
pub struct Answers {
    workers: Vec<Worker>,
    acknowledged: Vec<AcknowledgedWrite>,
    served: Vec<Served>,
    late: Vec<String>,
    /// The highest index in any response.
    highest_answered: u64,
    /// The value of `highest_answered` before the current step. A response in the current step does
    /// not count, because it may be concurrent with a request that begins in the same step.
    floor: u64,
    hosts: usize,
    proofs: BTreeMap<usize, u64>,
    proved: BTreeSet<usize>,
    /// Counts of writes acknowledged, refused and unknown, and of lookups served and refused.
    pub counts: [usize; 5],
}

impl Answers {
    /// Creates the record without any requests.
    pub fn new(hosts: usize) -> Answers {
        Answers {
            workers: (0..WORKERS).map(|_| Worker::default()).collect(),
            acknowledged: Vec::new(),
            served: Vec::new(),
            late: Vec::new(),
            highest_answered: 0,
            floor: 0,
            hosts,
            proofs: BTreeMap::new(),
            proved: BTreeSet::new(),
            counts: [0; 5],
        }
    }

    /// Returns the least index that the response to a lookup must have if the lookup begins now.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Returns the next write for a client to request, with the number of the worker that the write
    /// changes. Returns `None` if the drawn worker gets no write now.
    pub fn next_request(
        &mut self,
        now: Duration,
        max_age: Duration,
        chance: &mut Chance,
    ) -> Option<(usize, SimRequest)> {
        let at = chance.below(WORKERS);
        let worker = &mut self.workers[at];
        let writers = if at < SHARED { WRITERS } else { 1 };
        if worker.underway >= writers || worker.next_at > now {
            return None;
        }
        let node_id = format!("worker{at}");
        let what = match worker.underway {
            0 => chance.below(20),
            // Another write of the worker is in progress. A withdrawal, a repeated announcement and
            // a new announcement are equally likely, so that the two writes probably differ.
            _ => [1, 3, 19][chance.below(3)],
        };
        let request = match (&worker.announced, what) {
            // A worker dies when it is no longer announced. Workers with several writers die less
            // often, because other clients still write them.
            (Some(_), what) if what == 0 || at >= SHARED && what == 15 => {
                // The worker dies, and returns at a time when its announcement must have expired.
                worker.announced = None;
                worker.next_at = now + 3 * max_age;
                return None;
            }
            (Some(_), 1 | 2) => SimRequest::Withdraw(node_id),
            (Some(announced), 3..16) => SimRequest::Announce(announced.clone()),
            _ => {
                worker.serial += 1;
                let token = at as u64 * TOKENS + worker.serial;
                SimRequest::Announce(announcement(&node_id, token))
            }
        };
        worker.underway += 1;
        Some((at, request))
    }

    /// Records that a write was acknowledged.
    pub fn acknowledge(
        &mut self,
        worker: Option<usize>,
        request: SimRequest,
        index: u64,
        next_at: Duration,
    ) {
        if let Some(worker) = worker {
            self.finish(worker, &request, next_at);
        }
        self.counts[0] += 1;
        self.highest_answered = self.highest_answered.max(index);
        self.acknowledged.push(AcknowledgedWrite { request, index });
    }

    /// Records that a write was refused or has an unknown outcome. The client of the write retries
    /// from `next_at` on.
    pub fn fail(&mut self, worker: usize, request: &SimRequest, is_known: bool, next_at: Duration) {
        self.counts[if is_known { 1 } else { 2 }] += 1;
        self.finish(worker, request, next_at);
    }

    fn finish(&mut self, worker: usize, request: &SimRequest, next_at: Duration) {
        let worker = &mut self.workers[worker];
        worker.underway -= 1;
        worker.next_at = next_at;
        worker.announced = match request {
            SimRequest::Announce(announcement) => Some(announcement.clone()),
            SimRequest::Withdraw(_) => None,
        };
    }

    /// Records that a lookup was served.
    pub fn serve(&mut self, served: Served) {
        self.counts[3] += 1;
        self.highest_answered = self.highest_answered.max(served.index);
        self.served.push(served);
    }

    /// Records that a lookup was refused.
    pub fn refuse(&mut self) {
        self.counts[4] += 1;
    }

    /// Records that a request took from `began` to `ended`.
    pub fn note_time(&mut self, what: &str, began: Duration, ended: Duration) {
        if ended - began > CLIENT_WAITS + SLACK {
            self.late.push(format!(
                "refusals in time: {what} took from {began:?} to {ended:?}"
            ));
        }
    }

    /// Records that a host acknowledged the write of the proof phase.
    pub fn prove_write(&mut self, host: usize, index: u64) {
        self.proofs.insert(host, index);
    }

    /// Records that a host served a lookup of the proof phase, if the lookup shows the proof writes
    /// of all hosts.
    pub fn prove_read(&mut self, host: usize, shows: impl Fn(usize) -> bool) {
        if self.proofs.len() == self.hosts && (0..self.hosts).all(shows) {
            self.proved.insert(host);
        }
    }

    /// Returns the hosts that have yet to serve a lookup, and those that have yet to accept a
    /// write.
    pub fn unproved(&self) -> (Vec<usize>, Vec<usize>) {
        let hosts = 0..self.hosts;
        (
            hosts
                .clone()
                .filter(|host| !self.proved.contains(host))
                .collect(),
            hosts
                .filter(|host| !self.proofs.contains_key(host))
                .collect(),
        )
    }

    /// Checks the responses since the last call.
    ///
    /// # Errors
    /// Returns the violation.
    pub fn judge(&mut self, history: &History) -> Result<(), String> {
        if let Some(late) = self.late.pop() {
            return Err(late);
        }
        for acknowledged in self.acknowledged.drain(..) {
            let AcknowledgedWrite { request, index } = acknowledged;
            history
                .holds(index, |command| request.is(command))
                .map_err(|why| format!("acknowledged writes: {request:?} at {index}: {why}"))?;
        }
        for served in self.served.drain(..) {
            judge_lookup(&served, history).map_err(|why| {
                let Served {
                    host,
                    lookup,
                    index,
                    floor,
                    ..
                } = &served;
                format!(
                    "linearizable lookups: host {host} answered {lookup:?} at index {index}, \
                     when {floor} was already known to clients: {why}"
                )
            })?;
        }
        self.floor = self.highest_answered;
        Ok(())
    }
}

/// Checks a served lookup against the committed log.
fn judge_lookup(served: &Served, history: &History) -> Result<(), String> {
    if served.index < served.floor {
        return Err("the index is below an acknowledged one".to_owned());
    }
    let state = history
        .state(served.index)
        .ok_or("the index is not committed")?;
    let expected = match served.lookup {
        Lookup::Type(_) => &state.workers,
        _ => &state.all,
    };
    match *expected == served.tag {
        true => Ok(()),
        false => Err("the response differs from the state of the committed log".to_owned()),
    }
}

/// Returns an announcement of one service that carries a token.
pub fn announcement(node_id: &str, token: u64) -> Announcement {
    Announcement {
        node_id: node_id.to_owned(),
        pool: "general".to_owned(),
        location: format!("/{node_id}"),
        services: vec![Service {
            id: node_id.to_owned(),
            service_type: TYPE.to_owned(),
            properties: BTreeMap::from([("token".to_owned(), token.to_string())]),
        }]
        .into(),
    }
}
