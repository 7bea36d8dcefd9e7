//! What clients were told, held against the history.

use crate::records::history::{History, TYPE};
use crate::rng::Chance;
use quorate::model::{Announcement, Lookup, Service};
use quorate::registry::Command;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a client waits.
pub const CLIENT_WAITS: Duration = Duration::from_secs(2);
/// What the façade may take beside: a write is given up a little after its deadline, and clocks tick.
const SLACK: Duration = Duration::from_millis(50);
/// Workers that announce themselves.
const WORKERS: usize = 16;
/// Of these, several clients may write at once.
const SHARED: usize = 8;
/// How many writes of one of them are under way at most.
const WRITERS: usize = 3;

/// More tokens than a worker announces.
pub const TOKENS: u64 = 1_000_000;

/// What a client asked to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Announce, or renew.
    Announce(Announcement),
    /// Leave.
    Withdraw(String),
}

impl Wish {
    /// The node that it is about.
    pub fn node_id(&self) -> &str {
        match self {
            Wish::Announce(announcement) => &announcement.node_id,
            Wish::Withdraw(node_id) => node_id,
        }
    }

    fn is(&self, command: &Command) -> bool {
        match (self, command) {
            (
                Wish::Announce(wished),
                Command::Announce { announcement, .. }
                | Command::OrderedAnnounce { announcement, .. },
            ) => wished == announcement,
            (
                Wish::Announce(wished),
                Command::Renew {
                    node_id, digest, ..
                }
                | Command::OrderedRenew {
                    node_id, digest, ..
                },
            ) => wished.node_id == *node_id && wished.digest() == *digest,
            (
                Wish::Withdraw(wished),
                Command::Withdraw { node_id, .. } | Command::OrderedWithdraw { node_id, .. },
            ) => wished == node_id,
            _ => false,
        }
    }
}

/// A write that was acknowledged.
#[derive(Debug)]
struct Acknowledged {
    wish: Wish,
    index: u64,
}

/// A lookup that was served.
#[derive(Debug, Clone)]
pub struct Served {
    /// By which host.
    pub host: usize,
    /// What was asked.
    pub lookup: Lookup,
    /// The index of the answer.
    pub index: u64,
    /// The tag of the answer.
    pub tag: String,
    /// What had been acknowledged when it began.
    pub floor: u64,
}

#[derive(Debug, Default)]
struct Worker {
    /// Writes of it that are under way.
    underway: usize,
    held: Option<Announcement>,
    next_at: Duration,
    serial: u64,
}

/// What clients did and were told.
pub struct Answers {
    workers: Vec<Worker>,
    acknowledged: Vec<Acknowledged>,
    served: Vec<Served>,
    late: Vec<String>,
    /// The highest index that anyone was told.
    told: u64,
    /// The same, before the step under way: what is told in it may be told at the same time as something begins.
    floor: u64,
    hosts: usize,
    proofs: BTreeMap<usize, u64>,
    proved: BTreeSet<usize>,
    /// Writes acknowledged, refused and unknown; lookups served and refused.
    pub counts: [usize; 5],
}

impl Answers {
    /// Nothing was asked.
    pub fn new(hosts: usize) -> Answers {
        Answers {
            workers: (0..WORKERS).map(|_| Worker::default()).collect(),
            acknowledged: Vec::new(),
            served: Vec::new(),
            late: Vec::new(),
            told: 0,
            floor: 0,
            hosts,
            proofs: BTreeMap::new(),
            proved: BTreeSet::new(),
            counts: [0; 5],
        }
    }

    /// What a lookup that begins now must show at least.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Something for a client to write, with the worker that does.
    pub fn next_wish(
        &mut self,
        now: Duration,
        max_age: Duration,
        chance: &mut Chance,
    ) -> Option<(usize, Wish)> {
        let at = chance.below(WORKERS);
        let worker = &mut self.workers[at];
        let writers = if at < SHARED { WRITERS } else { 1 };
        if worker.underway >= writers || worker.next_at > now {
            return None;
        }
        let node_id = format!("worker{at}");
        let what = match worker.underway {
            0 => chance.below(20),
            // Rather something that the other write does not say.
            _ => [1, 3, 19][chance.below(3)],
        };
        let wish = match (&worker.held, what) {
            // Of those with one writer more, since a worker that others write too seldom falls
            // silent.
            (Some(_), what) if what == 0 || at >= SHARED && what == 15 => {
                // It dies, and comes back when it must be gone.
                worker.held = None;
                worker.next_at = now + 3 * max_age;
                return None;
            }
            (Some(_), 1 | 2) => Wish::Withdraw(node_id),
            (Some(held), 3..16) => Wish::Announce(held.clone()),
            _ => {
                worker.serial += 1;
                let token = at as u64 * TOKENS + worker.serial;
                Wish::Announce(announcement(&node_id, token))
            }
        };
        worker.underway += 1;
        Some((at, wish))
    }

    /// A write was acknowledged.
    pub fn acknowledge(
        &mut self,
        worker: Option<usize>,
        wish: Wish,
        index: u64,
        next_at: Duration,
    ) {
        if let Some(worker) = worker {
            self.rest(worker, &wish, next_at);
        }
        self.counts[0] += 1;
        self.told = self.told.max(index);
        self.acknowledged.push(Acknowledged { wish, index });
    }

    /// A write was refused, or nobody knows: its client tries again.
    pub fn fail(&mut self, worker: usize, wish: &Wish, is_known: bool, next_at: Duration) {
        self.counts[if is_known { 1 } else { 2 }] += 1;
        self.rest(worker, wish, next_at);
    }

    fn rest(&mut self, worker: usize, wish: &Wish, next_at: Duration) {
        let worker = &mut self.workers[worker];
        worker.underway -= 1;
        worker.next_at = next_at;
        worker.held = match wish {
            Wish::Announce(announcement) => Some(announcement.clone()),
            Wish::Withdraw(_) => None,
        };
    }

    /// A lookup was served.
    pub fn serve(&mut self, served: Served) {
        self.counts[3] += 1;
        self.told = self.told.max(served.index);
        self.served.push(served);
    }

    /// A lookup was refused.
    pub fn refuse(&mut self) {
        self.counts[4] += 1;
    }

    /// Something took from `began` to `ended`.
    pub fn note_time(&mut self, what: &str, began: Duration, ended: Duration) {
        if ended - began > CLIENT_WAITS + SLACK {
            self.late.push(format!(
                "refusals in time: {what} took from {began:?} to {ended:?}"
            ));
        }
    }

    /// A host took the proof's write and has acknowledged it.
    pub fn prove_write(&mut self, host: usize, index: u64) {
        self.proofs.insert(host, index);
    }

    /// A host served a lookup that shows these proofs.
    pub fn prove_read(&mut self, host: usize, shows: impl Fn(usize) -> bool) {
        if self.proofs.len() == self.hosts && (0..self.hosts).all(shows) {
            self.proved.insert(host);
        }
    }

    /// Which hosts have yet to serve, and which to write.
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

    /// Judges what was told since the last call.
    ///
    /// # Errors
    /// What was wrong to tell.
    pub fn judge(&mut self, history: &History) -> Result<(), String> {
        if let Some(late) = self.late.pop() {
            return Err(late);
        }
        for acknowledged in self.acknowledged.drain(..) {
            let Acknowledged { wish, index } = acknowledged;
            history
                .holds(index, |command| wish.is(command))
                .map_err(|why| format!("acknowledged writes: {wish:?} at {index}: {why}"))?;
        }
        for served in self.served.drain(..) {
            judge_lookup(&served, history)
                .map_err(|why| {
                let Served { host, lookup, index, floor, .. } = &served;
                format!(
                    "linearizable lookups: host {host} answered {lookup:?} at {index}, {floor} was told before: {why}"
                )
            })?;
        }
        self.floor = self.told;
        Ok(())
    }
}

fn judge_lookup(served: &Served, history: &History) -> Result<(), String> {
    if served.index < served.floor {
        return Err("less than was acknowledged before".to_owned());
    }
    let state = history
        .state(served.index)
        .ok_or("of an index that is not committed")?;
    let expected = match served.lookup {
        Lookup::Type(_) => &state.workers,
        _ => &state.all,
    };
    match *expected == served.tag {
        true => Ok(()),
        false => Err("not what the committed log makes of it".to_owned()),
    }
}

/// An announcement of one service that carries a token.
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
