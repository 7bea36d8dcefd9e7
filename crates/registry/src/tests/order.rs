//! The order of writes of one node, tested against a model of receiving nodes, leaders and clients.

use super::samples::{announcement, batch};
use crate::{Arrival, Batch, Command, LEVEL, LEVEL_OF_ORDER, Leadership, Outcome, Registry, Tail};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const TAKERS: usize = 3;
const NODES: usize = 2;
const MAX_AGE_MS: u64 = 3_000;

/// The request of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ModelRequest {
    Announce(u8),
    Withdraw,
}

/// A write that a receiving node (`Taker`) has received from a client.
#[derive(Debug, Clone)]
struct ModelWrite {
    node: usize,
    request: ModelRequest,
    /// The step of the model in which the write arrived. The client began the write in the same
    /// step.
    arrived: usize,
    arrival: Arrival,
    may_renew: bool,
}

/// One entry of a leader's log: the writes in it, each with the number of its receiving node.
#[derive(Debug, Clone)]
struct ModelEntry {
    proposer: Leadership,
    writes: Vec<(usize, ModelWrite)>,
    tick: bool,
}

/// A receiving node: the log indexes that it knows, and a queue of writes for each node id.
#[derive(Debug, Clone, Default)]
struct Taker {
    committed: u64,
    tail: Option<Tail>,
    queues: [VecDeque<ModelWrite>; NODES],
    under_way: [bool; NODES],
    previous: [Option<u64>; NODES],
}

/// The cluster: a log with a committed prefix, receiving nodes that lag behind, and the
/// acknowledgments to clients.
struct ModelWorld {
    registry: Registry,
    log: Vec<ModelEntry>,
    committed: usize,
    leadership: Leadership,
    takers: Vec<Taker>,
    step: usize,
    /// For each node, the latest step of the model in which an acknowledged write arrived.
    acknowledged: [Option<usize>; NODES],
}

impl ModelWorld {
    fn new() -> ModelWorld {
        let mut registry = Registry::new("test");
        registry.apply(1, &batch(vec![Command::Level(LEVEL_OF_ORDER)]));
        ModelWorld {
            registry,
            log: Vec::new(),
            committed: 0,
            leadership: Leadership { term: 1, node: 1 },
            takers: vec![Taker::default(); TAKERS],
            step: 0,
            acknowledged: [None; NODES],
        }
    }

    /// Returns the log index of the entry at a position of `log`.
    fn index(position: usize) -> u64 {
        position as u64 + 2
    }

    /// Delivers a client's write to a receiving node, which records the log indexes that it knows.
    fn take(&mut self, taker: usize, node: usize, request: ModelRequest) {
        let taker = &mut self.takers[taker];
        taker.queues[node].push_back(ModelWrite {
            node,
            request,
            arrived: self.step,
            arrival: Arrival {
                committed: taker.committed,
                tail: taker.tail,
                previous: None,
                until_ms: None,
            },
            may_renew: true,
        });
    }

    /// Appends one entry to the leader's log, with the first queued writes of some receiving nodes.
    fn propose(&mut self, of_takers: u8, of_nodes: u8) {
        let mut writes = Vec::new();
        for (i, taker) in self.takers.iter_mut().enumerate() {
            for node in 0..NODES {
                let is_chosen = of_takers & (1 << i) != 0 && of_nodes & (1 << node) != 0;
                if !is_chosen || taker.under_way[node] {
                    continue;
                }
                if let Some(write) = taker.queues[node].front_mut() {
                    write.arrival.previous = taker.previous[node];
                    taker.under_way[node] = true;
                    writes.push((i, write.clone()));
                }
            }
        }
        self.append(writes, false);
    }

    /// Appends an entry to the leader's log: writes, or a tick.
    fn append(&mut self, writes: Vec<(usize, ModelWrite)>, tick: bool) {
        self.log.push(ModelEntry {
            proposer: self.leadership,
            writes,
            tick,
        });
    }

    /// Commits one more entry, applies it, and passes each outcome to the receiving node of the
    /// write. The other receiving nodes learn of the commit later.
    fn commit(&mut self) -> Result<(), TestCaseError> {
        let Some(entry) = self.log.get(self.committed).cloned() else {
            return Ok(());
        };
        let index = ModelWorld::index(self.committed);
        self.committed += 1;
        let commands = match entry.tick {
            true => vec![Command::Tick {
                advance_ms: 1_000,
                grace_ms: None,
            }],
            false => entry.writes.iter().map(|(_, w)| self.command(w)).collect(),
        };
        let before = self.shown();
        let batch = Batch {
            max_age_ms: MAX_AGE_MS,
            step_ms: 1_000,
            commands,
        };
        let outcomes = self.registry.apply_proposed(index, entry.proposer, &batch);
        let after = self.shown();
        for ((_, write), outcome) in entry.writes.iter().zip(&outcomes) {
            let changed = before.get(&write.node) != after.get(&write.node);
            if *outcome == Outcome::Applied && changed {
                let latest = self.acknowledged[write.node];
                prop_assert!(
                    latest.is_none_or(|arrived| arrived <= write.arrived),
                    "{:?} takes effect at {} after one of step {:?} was acknowledged",
                    write,
                    index,
                    latest
                );
            }
        }
        for ((taker, write), outcome) in entry.writes.iter().zip(&outcomes) {
            self.answer(*taker, write, index, outcome);
        }
        Ok(())
    }

    fn command(&self, write: &ModelWrite) -> Command {
        let node_id = format!("n{}", write.node);
        match write.request {
            ModelRequest::Withdraw => Command::OrderedWithdraw {
                arrival: write.arrival,
                node_id,
            },
            ModelRequest::Announce(content) => {
                let announcement = announcement(&node_id, "presto", &content.to_string());
                // A receiving node proposes the renewal first, and the announcement after
                // `NotRegistered`.
                match write.may_renew {
                    true => Command::OrderedRenew {
                        arrival: write.arrival,
                        node_id,
                        digest: announcement.digest(),
                    },
                    false => Command::OrderedAnnounce {
                        arrival: write.arrival,
                        announcement,
                    },
                }
            }
        }
    }

    /// Processes an outcome as a receiving node does.
    fn answer(&mut self, taker: usize, write: &ModelWrite, index: u64, outcome: &Outcome) {
        let Some(taker) = self.takers.get_mut(taker) else {
            return;
        };
        taker.under_way[write.node] = false;
        taker.committed = taker.committed.max(index);
        let Some(first) = taker.queues[write.node].front_mut() else {
            return;
        };
        match outcome {
            Outcome::NotRegistered => first.may_renew = false,
            Outcome::Superseded => {
                taker.queues[write.node].pop_front();
            }
            _ => {
                taker.queues[write.node].pop_front();
                taker.previous[write.node] = Some(index);
                let latest = &mut self.acknowledged[write.node];
                *latest = Some(latest.map_or(write.arrived, |at| at.max(write.arrived)));
            }
        }
        if taker.queues[write.node].is_empty() {
            taker.previous[write.node] = None;
        }
    }

    /// Returns the digest of each registered node's announcement.
    fn shown(&self) -> BTreeMap<usize, u128> {
        let held = |node| {
            let held = self.registry.held(&format!("n{node}"))?;
            Some((node, held.digest))
        };
        (0..NODES).filter_map(held).collect()
    }

    /// Elects another leader, whose log has all committed entries and perhaps some uncommitted
    /// ones. The clients of all uncommitted writes get an unknown outcome. An uncommitted entry in
    /// the new leader's log may still be committed later.
    fn elect(&mut self, kept: usize) {
        let kept = self.committed + kept % (self.log.len() - self.committed + 1);
        self.log.truncate(kept);
        self.leadership.term += u64::from(kept.is_multiple_of(2));
        self.leadership.node += 1;
        for taker in &mut self.takers {
            for node in 0..NODES {
                if std::mem::take(&mut taker.under_way[node]) {
                    taker.queues[node].pop_front();
                }
            }
        }
        for entry in self.log.iter_mut().skip(self.committed) {
            for (taker, _) in &mut entry.writes {
                // No receiving node gets the outcome, because no client waits for the write any
                // more.
                *taker = TAKERS;
            }
        }
        self.append(Vec::new(), false);
    }

    /// Lets a receiving node learn the committed index, or the tail of the leader's log.
    fn hear(&mut self, taker: usize, how_much: u8, of_commits: bool) {
        let taker = &mut self.takers[taker];
        // The receiving node lags the leader's log by at most three entries.
        let lag = usize::from(u8::MAX - how_much) % 4;
        let upto = |length: usize| (length * usize::from(how_much)).div_ceil(usize::from(u8::MAX));
        if of_commits {
            let known = upto(self.committed);
            taker.committed = taker.committed.max(ModelWorld::index(known) - 1);
        } else if let Some(position) = self.log.len().checked_sub(1 + lag) {
            taker.tail = Some(Tail {
                leadership: self.leadership,
                index: ModelWorld::index(position),
            });
        }
    }

    fn run(&mut self, (what, a, b): (u8, u8, u8)) -> Result<(), TestCaseError> {
        self.step += 1;
        let (taker, node) = (usize::from(a) % TAKERS, usize::from(b) % NODES);
        match what {
            0..5 => self.take(taker, node, ModelRequest::Announce(b / 2 % 2)),
            5..8 => self.take(taker, node, ModelRequest::Withdraw),
            8..13 => self.propose(a, b),
            13..19 => self.commit()?,
            19..21 => self.elect(usize::from(a)),
            21 => self.append(Vec::new(), true),
            22..25 => self.hear(taker, b, true),
            _ => self.hear(taker, b, false),
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// If write A arrived before write B of the same node began, A never takes effect after B was
    /// acknowledged. This holds even if receiving nodes lag behind and queue writes, or leaders
    /// change. It also holds if entries are lost or committed late, and if one entry has writes of
    /// one node from two receiving nodes.
    #[test]
    fn no_write_takes_effect_after_a_later_one(
        steps in vec((0..31u8, any::<u8>(), any::<u8>()), 1..120),
    ) {
        let mut world = ModelWorld::new();
        for step in steps {
            world.run(step)?;
        }
        while world.committed < world.log.len() {
            world.commit()?;
        }
    }

    /// A write is not refused if its receiving node knew the whole log of the leader when the write
    /// arrived, and the leader does not change.
    #[test]
    fn a_taker_that_has_heard_is_not_refused(
        writes in vec(
            (
                0..TAKERS,
                0..NODES,
                prop_oneof![
                    Just(ModelRequest::Withdraw),
                    (0..2u8).prop_map(ModelRequest::Announce)
                ],
            ),
            1..40,
        ),
    ) {
        let mut world = ModelWorld::new();
        for (taker, node, request) in writes {
            world.step += 1;
            world.hear(taker, u8::MAX, false);
            world.take(taker, node, request.clone());
            while !world.takers[taker].queues[node].is_empty() {
                world.propose(1 << taker, 1 << node);
                world.commit()?;
            }
            prop_assert_eq!(world.acknowledged[node], Some(world.step), "{:?} is refused", request);
        }
    }
}

fn arrival(committed: u64) -> Arrival {
    Arrival {
        committed,
        ..Arrival::default()
    }
}

fn ordered(node: &str, note: &str, arrival: Arrival) -> Command {
    Command::OrderedAnnounce {
        arrival,
        announcement: announcement(node, "presto", note),
    }
}

fn renewal(node: &str, note: &str, arrival: Arrival) -> Command {
    Command::OrderedRenew {
        arrival,
        node_id: node.to_owned(),
        digest: announcement(node, "presto", note).digest(),
    }
}

fn withdrawal(node: &str, arrival: Arrival) -> Command {
    Command::OrderedWithdraw {
        arrival,
        node_id: node.to_owned(),
    }
}

/// The registry accepts at most one write of a node from one entry. This also holds for renewals
/// and for withdrawals of unregistered nodes. `previous` therefore identifies one write.
#[test]
fn of_one_entry_one_write_of_a_node_is_accepted() {
    use Outcome::{Applied, Superseded};
    let mut registry = Registry::new("test");
    registry.apply(1, &batch(vec![Command::Level(LEVEL_OF_ORDER)]));
    let seen = arrival(1);
    let twice = vec![
        ordered("w1", "x", seen),
        renewal("w1", "x", seen),
        ordered("w1", "x", seen),
        withdrawal("w2", seen),
        withdrawal("w2", seen),
        ordered("w3", "x", seen),
        ordered("w3", "y", seen),
    ];
    assert_eq!(
        registry.apply(2, &batch(twice)),
        [
            Applied, Superseded, Superseded, Applied, Superseded, Applied, Superseded
        ]
    );
    let behind = Arrival {
        previous: Some(2),
        ..seen
    };
    let written_over = ["w1", "w2", "w3"].map(|node| ordered(node, "z", behind));
    assert_eq!(
        registry.apply(3, &batch(written_over.to_vec())),
        [Applied, Applied, Applied]
    );
}

/// A renewal is refused if an announcement that was applied before the renewal may be newer.
/// Otherwise, the renewal would count as the last write of its node, and the withdrawal queued
/// behind the renewal would remove the newer announcement.
#[test]
fn a_renewal_passes_no_later_write_by() {
    let mut registry = Registry::new("test");
    let mut apply = |index, command| registry.apply(index, &batch(vec![command])).remove(0);
    apply(1, Command::Level(LEVEL_OF_ORDER));
    assert_eq!(apply(2, ordered("w1", "x", arrival(1))), Outcome::Applied);
    let late = renewal("w1", "x", arrival(1));
    assert_eq!(apply(3, late), Outcome::Superseded);
    let behind = Arrival {
        previous: Some(3),
        ..arrival(1)
    };
    assert_eq!(apply(4, withdrawal("w1", behind)), Outcome::Superseded);
}

/// A write that is applied after its deadline ([`Arrival::until_ms`]) changes nothing, whether its
/// node is registered or not.
#[test]
fn a_write_ends_with_its_time() {
    let mut registry = Registry::new("test");
    registry.apply(
        1,
        &batch(vec![
            Command::Level(LEVEL_OF_ORDER),
            ordered("w1", "x", arrival(0)),
        ]),
    );
    for (index, advance_ms) in [(2, 1_000), (3, 1_000)] {
        let tick = Command::Tick {
            advance_ms,
            grace_ms: None,
        };
        registry.apply(index, &batch(vec![tick]));
    }
    let until = |until_ms| Arrival {
        until_ms: Some(until_ms),
        ..arrival(3)
    };
    let late = vec![
        ordered("w1", "y", until(1_999)),
        withdrawal("w1", until(1_999)),
        ordered("w2", "y", until(1_999)),
        ordered("w1", "x", until(1_999)),
        renewal("w1", "x", until(1_999)),
    ];
    for outcome in registry.apply(4, &batch(late)) {
        assert_eq!(outcome, Outcome::Superseded);
    }
    let in_time = vec![
        ordered("w1", "y", until(2_000)),
        ordered("w2", "y", until(2_000)),
    ];
    assert_eq!(
        registry.apply(5, &batch(in_time)),
        [Outcome::Applied, Outcome::Applied]
    );
}

/// A write that is applied after its deadline ([`Arrival::until_ms`]) is refused even during a
/// grace period, in which cluster time stops.
#[test]
fn a_grace_does_not_stop_the_time_of_late_writes() {
    let tick = |grace_ms| Command::Tick {
        advance_ms: 1_000,
        grace_ms,
    };
    let first = batch(vec![
        Command::Level(LEVEL_OF_ORDER),
        ordered("w1", "x", arrival(0)),
    ]);
    let mut registry = Registry::new("test");
    registry.apply(1, &first);
    registry.apply(2, &batch(vec![tick(Some(600_000))]));
    registry.apply(3, &batch(vec![tick(None)]));
    assert_eq!((registry.cluster_ms(), registry.ticked_ms()), (0, 2_000));

    // A registry that was restored from a snapshot refuses the write as well.
    let restored = Registry::from_snapshot(&registry.to_snapshot()).unwrap();
    for mut registry in [registry, restored] {
        let late = Arrival {
            until_ms: Some(1_999),
            ..arrival(3)
        };
        let outcomes = registry.apply(4, &batch(vec![ordered("w1", "y", late)]));
        assert_eq!(outcomes, [Outcome::Superseded]);
    }
}

/// Nodes of two releases can read each other's commands, because new variants and fields are
/// encoded after all existing ones.
#[test]
fn the_bytes_of_commands_stay() {
    let hex = |command: &Command| -> String {
        let bytes = postcard::to_stdvec(command).unwrap();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let full = Arrival {
        committed: 300,
        tail: Some(Tail {
            leadership: Leadership { term: 2, node: 7 },
            index: 301,
        }),
        previous: Some(299),
        until_ms: Some(5_000),
    };
    let seen_only = Command::Withdraw {
        seen: 4,
        node_id: "w1".to_owned(),
    };
    assert_eq!(hex(&seen_only), "0104027731");
    assert_eq!(hex(&Command::Level(LEVEL)), "0704");
    assert_eq!(
        hex(&withdrawal("w1", full)),
        "09ac02010207ad0201ab0201882702".to_owned() + "7731"
    );
    assert_eq!(hex(&withdrawal("w1", arrival(4))), "0904000000027731");
    assert_eq!(
        &hex(&renewal("w1", "x", arrival(4)))[..16],
        "0a04000000027731"
    );
    assert_eq!(
        &hex(&ordered("w1", "x", arrival(4)))[..20],
        "08040000000277310767"
    );
}
