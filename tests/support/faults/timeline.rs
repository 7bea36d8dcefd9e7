//! Runs faults one after the other and overlapping, and records their times.

use super::kind::Kind;
use super::links::shuffle;
use super::stage::{Fault, Stage};
use crate::support::http;
use crate::support::recorded::Recorded;
use crate::support::wait::{let_pass, until};
use quorate::clock::{self, Instant};
use quorate_checker::random::Random;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::ops::Range;
use std::thread;
use std::time::Duration;

/// Interval between two steps of the faults in progress.
const LOOK: Duration = Duration::from_millis(20);
/// Time after the planned end of a fault at which a failing disk is mended even if nothing was
/// written to it ([`Stage::give_up`]). Without this limit, the fault might never end.
const STRIKES_WITHIN: Duration = Duration::from_secs(5);
/// Timeout of a burst, and of the recovery after it. It is far above the documented limits, because
/// the measured times are checked elsewhere.
const OVER_WITHIN: Duration = Duration::from_secs(60);
/// Interval between two checks of whether a node serves again. The timeout of each check is ten
/// times as long.
const PROBE: Duration = Duration::from_millis(50);

/// The random durations and the overlaps of faults.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// Duration of a fault before it is mended.
    pub lasts: Range<Duration>,
    /// Time between the beginnings of two consecutive faults of a burst.
    pub staggers: Range<Duration>,
    /// Probability that a burst has one more fault, in percent. The draw is repeated after each
    /// fault.
    pub more_percent: u64,
    /// Maximum number of faults in a burst.
    pub most: usize,
}

/// A fault that is over. All times are those of the clients' clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Happened {
    pub kind: Kind,
    pub victims: Vec<usize>,
    pub from_ns: u64,
    /// The time at which the fault was undone, as far as the test can undo it. The affected nodes
    /// may have recovered later.
    pub mended_ns: u64,
    pub over_ns: u64,
    /// Whether another fault was in progress at any time during this fault.
    pub overlapped: bool,
    /// Whether the fault had its intended effect. A fault without effect does not count.
    pub has_struck: bool,
}

/// Faults that overlap, and the recovery after them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Burst {
    pub faults: Vec<Happened>,
    /// The time at which the last fault was mended.
    pub healed_ns: u64,
    /// For each node, the time from `healed_ns` until it first answered a lookup that was sent
    /// after `healed_ns`.
    pub served_after_ns: Vec<u64>,
}

/// A sequence of faults in rounds. Each round contains each kind once, in random order.
pub struct Timeline {
    pattern: Pattern,
    random: Random,
    deck: Vec<Kind>,
}

/// A fault in progress, with its times.
struct UnderWay {
    fault: Fault,
    from_ns: u64,
    mend_at: Instant,
    mended_ns: Option<u64>,
    overlapped: bool,
}

impl Timeline {
    pub fn new(pattern: Pattern, seed: u64) -> Timeline {
        Timeline {
            pattern,
            random: Random::new(seed),
            deck: Vec::new(),
        }
    }

    /// Runs the next burst of faults. Returns when all faults are over and every node serves again
    /// as a voter.
    pub fn burst(&mut self, stage: &mut Stage, clients: &Recorded) -> Burst {
        let mut size = 1;
        while size < self.pattern.most && self.random.below(100) < self.pattern.more_percent {
            size += 1;
        }
        let mut under_way: Vec<UnderWay> = Vec::new();
        let mut faults = Vec::new();
        let mut next_at = clock::now();
        let mut begun = 0;
        let gives_up_at = clock::now() + OVER_WITHIN;
        while begun < size || !under_way.is_empty() {
            let now = clock::now();
            assert!(now < gives_up_at, "not over: {:?}", kinds(&under_way));
            if begun < size && now >= next_at {
                // If no further fault is possible beside the faults in progress, the burst gets no
                // more faults.
                if let Some(new) = self.begin(stage, clients, !under_way.is_empty()) {
                    under_way.iter_mut().for_each(|one| one.overlapped = true);
                    under_way.push(new);
                    begun += 1;
                } else if !under_way.is_empty() {
                    size = begun;
                }
                next_at = clock::now() + between(&self.pattern.staggers, &mut self.random);
            }
            // Nodes that ended only after their disks were mended are started, because unfinished
            // faults may depend on these nodes.
            stage.start_the_late();
            under_way.retain_mut(|one| {
                let is_over = look_after(stage, clients, one);
                if is_over {
                    faults.push(happened(stage, clients, one));
                }
                !is_over
            });
            let_pass(LOOK);
        }
        let healed_ns = faults.iter().map(|fault| fault.mended_ns).max();
        let healed_ns = healed_ns.expect("a burst has a fault");
        let served_after_ns = first_served(stage, clients, healed_ns);
        stage.wait_ready();
        Burst {
            faults,
            healed_ns,
            served_after_ns,
        }
    }

    /// Begins a fault of the next kind of the round that is possible now. Returns `None` if no kind
    /// is possible.
    fn begin(&mut self, stage: &mut Stage, clients: &Recorded, beside: bool) -> Option<UnderWay> {
        if self.deck.is_empty() {
            self.deck = Kind::ALL.to_vec();
            shuffle(&mut self.deck, &mut self.random);
        }
        let lasts = between(&self.pattern.lasts, &mut self.random);
        for at in (0..self.deck.len()).rev() {
            let from_ns = clients.now_ns();
            if let Some(fault) = stage.begin(self.deck[at]) {
                self.deck.remove(at);
                return Some(UnderWay {
                    fault,
                    from_ns,
                    mend_at: clock::now() + lasts,
                    mended_ns: None,
                    overlapped: beside,
                });
            }
        }
        None
    }
}

fn kinds(under_way: &[UnderWay]) -> Vec<Kind> {
    under_way.iter().map(|one| one.fault.kind).collect()
}

/// Mends a fault once its planned end has passed. Returns whether the fault is over.
fn look_after(stage: &mut Stage, clients: &Recorded, one: &mut UnderWay) -> bool {
    let now = clock::now();
    if now >= one.mend_at {
        stage.mend(&mut one.fault);
    }
    if now >= one.mend_at + STRIKES_WITHIN {
        stage.give_up(&mut one.fault);
    }
    let is_over = stage.is_over(&mut one.fault);
    // A rolling stop counts as mended only when its last node serves again.
    let is_mended = one.fault.is_mended && one.fault.kind != Kind::StopEachInTurn;
    if one.mended_ns.is_none() && (is_mended || is_over) {
        one.mended_ns = Some(clients.now_ns());
    }
    is_over
}

/// Returns the record of a fault that is over.
fn happened(stage: &Stage, clients: &Recorded, one: &UnderWay) -> Happened {
    let over_ns = clients.now_ns();
    Happened {
        kind: one.fault.kind,
        victims: one.fault.victims.clone(),
        from_ns: one.from_ns,
        mended_ns: one.mended_ns.unwrap_or(over_ns),
        over_ns,
        overlapped: one.overlapped,
        has_struck: stage.has_struck(&one.fault),
    }
}

fn between(range: &Range<Duration>, random: &mut Random) -> Duration {
    let span = range.end.saturating_sub(range.start);
    range.start + Duration::from_millis(random.below(span.as_millis().max(1) as u64))
}

/// Sends lookups to every node until the node serves one. Returns, for each node, the time from
/// `since_ns` until that answer.
fn first_served(stage: &mut Stage, clients: &Recorded, since_ns: u64) -> Vec<u64> {
    let addresses: Vec<SocketAddr> = stage.cluster.nodes.iter().map(|n| n.address()).collect();
    thread::scope(|scope| {
        let probes: Vec<_> = addresses
            .into_iter()
            .map(|address| {
                scope.spawn(move || {
                    until("it serves again", OVER_WITHIN, || serves(address));
                    clients.now_ns() - since_ns
                })
            })
            .collect();
        while probes.iter().any(|probe| !probe.is_finished()) {
            stage.start_the_late();
            let_pass(LOOK);
        }
        let probes = probes.into_iter();
        probes
            .map(|probe| probe.join().expect("it serves"))
            .collect()
    })
}

fn serves(address: SocketAddr) -> Option<()> {
    let answer = http::request(address, "GET", "/v1/service/probe", None, 10 * PROBE).ok()?;
    (answer.status == 200).then_some(())
}
