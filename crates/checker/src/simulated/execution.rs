//! The execution of a plan: the simulated registry, its log and the answers of its clients.

use super::bug::{BUG_PERCENT, SimulatedBug};
use super::plan::Planned;
use super::shape::MAX_AGE_NS;
use crate::history::{Input, Name, Operation, RecordedService, RequestOutcome};
use crate::log::{Applied, CommittedLog, LogEntry};
use crate::random::Random;
use std::collections::{BTreeMap, VecDeque};

/// A history, and the log of the registry that produced it.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The observations of the clients, sorted by the time of the call.
    pub history: Vec<Operation>,
    /// The applied changes.
    pub log: CommittedLog,
}

/// Maximum number of earlier states that are kept for stale lookups.
const MAX_PAST: usize = 6;

type Nodes = BTreeMap<Name, SimulatedNode>;

#[derive(Debug, Clone)]
struct SimulatedNode {
    pool: Name,
    types: Vec<Name>,
    token: u64,
    deadline_ns: u64,
}

/// Applies the effects of all planned operations, in the order of their times.
pub fn execute(random: &mut Random, plan: Vec<Planned>, bug: Option<SimulatedBug>) -> Simulated {
    let mut effects = Vec::with_capacity(plan.len());
    let mut history = Vec::with_capacity(plan.len());
    for (position, planned) in plan.into_iter().enumerate() {
        let operation = planned.operation;
        let is_write = operation.is_write();
        let is_chosen = is_write && random.chance(BUG_PERCENT);
        let at_ns = match bug {
            Some(SimulatedBug::RefusedApplied)
                if is_write && operation.outcome == RequestOutcome::Refused =>
            {
                operation.return_ns
            }
            _ => planned.effect_ns,
        };
        let effect = |at_ns, is_lost| Effect {
            at_ns,
            position,
            is_lost,
            is_again: false,
        };
        let is_lost = is_chosen && bug == Some(SimulatedBug::LostAck);
        effects.extend(at_ns.map(|at_ns| effect(at_ns, is_lost)));
        if is_chosen && bug == Some(SimulatedBug::AppliedTwice) {
            let later_ns = random.below(MAX_AGE_NS);
            effects.extend(at_ns.map(|at_ns| Effect {
                is_again: true,
                ..effect(at_ns + later_ns, false)
            }));
        }
        history.push(operation);
    }
    effects.sort_unstable();
    let mut execution = Execution {
        random,
        bug,
        nodes: Nodes::new(),
        past: VecDeque::new(),
        called_last_ns: BTreeMap::new(),
        ghosts: Vec::new(),
        index: 1,
        batch_ns: None,
        entries: Vec::new(),
    };
    for effect in effects {
        execution.take_effect(&effect, &mut history[effect.position]);
    }
    let log = CommittedLog {
        from_index: 0,
        to_index: execution.index,
        is_complete: true,
        entries: execution.entries,
    };
    Simulated { history, log }
}

/// The effect of an operation at a point in time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Effect {
    at_ns: u64,
    /// The operation, as a position in the history.
    position: usize,
    /// Whether the effect gets an index but changes nothing.
    is_lost: bool,
    /// Whether the effect is the repetition of an earlier one.
    is_again: bool,
}

/// The state of the simulated registry.
struct Execution<'a> {
    random: &'a mut Random,
    bug: Option<SimulatedBug>,
    nodes: Nodes,
    /// Earlier states with their indexes.
    past: VecDeque<(Nodes, u64)>,
    /// For each node, the latest call of its acknowledged changes that took effect.
    called_last_ns: BTreeMap<Name, u64>,
    /// Removed nodes that may reappear.
    ghosts: Vec<(Name, SimulatedNode)>,
    index: u64,
    /// The time at which the last entry was created. `None` once no other change may join that
    /// entry.
    batch_ns: Option<u64>,
    entries: Vec<LogEntry>,
}

impl Execution<'_> {
    /// Applies an effect, and sets the outcome and the index of its operation.
    fn take_effect(&mut self, effect: &Effect, operation: &mut Operation) {
        let now_ns = effect.at_ns;
        self.expire(now_ns);
        self.haunt();
        match &operation.input {
            Input::Lookup { service_type, pool } => {
                let (services, index) = self.look(service_type.as_ref(), pool.as_ref());
                operation.outcome = RequestOutcome::Found(services);
                operation.index = Some(index);
                self.batch_ns = None;
            }
            change if !effect.is_again && self.refuses(operation, change) => {
                if operation.outcome == RequestOutcome::Acked {
                    operation.outcome = RequestOutcome::Refused;
                }
            }
            change => {
                self.remember();
                if effect.is_lost {
                    self.index += 1;
                    self.batch_ns = None;
                } else {
                    self.change(now_ns, operation.call_ns, change);
                }
                if operation.outcome == RequestOutcome::Acked && operation.index.is_none() {
                    operation.index = Some(self.index);
                    if let Some(node) = operation.input.node() {
                        let last_ns = self.called_last_ns.entry(node.clone()).or_default();
                        *last_ns = operation.call_ns.max(*last_ns);
                    }
                }
            }
        }
    }

    /// Whether the registry refuses a change as overtaken. This is the case if the change would
    /// alter the node, and if another change of the node was called after this change had arrived,
    /// was acknowledged, and has already taken effect.
    fn refuses(&self, operation: &Operation, change: &Input) -> bool {
        let Some(node) = change.node() else {
            return false;
        };
        let changes = match (change, self.nodes.get(node)) {
            (Input::Announce { token, .. }, Some(held)) => held.token != *token,
            (Input::Announce { .. }, None) | (_, Some(_)) => true,
            (_, None) => false,
        };
        let is_overtaken = operation.arrived_ns.is_some_and(|arrived_ns| {
            let last_ns = self.called_last_ns.get(node);
            last_ns.is_some_and(|last_ns| arrived_ns < *last_ns)
        });
        changes && is_overtaken && self.bug != Some(SimulatedBug::SecondProposal)
    }

    fn is_bug(&mut self, bug: SimulatedBug) -> bool {
        self.bug == Some(bug) && self.random.chance(BUG_PERCENT)
    }

    /// Removes the nodes whose deadline has passed, in one entry.
    fn expire(&mut self, now_ns: u64) {
        let expired: Vec<Name> = self
            .nodes
            .iter()
            .filter(|(_, held)| held.deadline_ns <= now_ns)
            .map(|(node, _)| node.clone())
            .collect();
        if expired.is_empty() {
            return;
        }
        self.remember();
        self.index += 1;
        self.batch_ns = None;
        let mut applied = Vec::new();
        for node in expired {
            if let Some(held) = self.nodes.remove(&node) {
                self.ghosts.push((node.clone(), held));
            }
            applied.push(Applied::Expire { node });
        }
        self.entries.push(LogEntry {
            index: self.index,
            applied,
        });
    }

    /// Restores a removed node now and then, if [`SimulatedBug::Resurrection`] is planted.
    fn haunt(&mut self) {
        if self.bug != Some(SimulatedBug::Resurrection) {
            return;
        }
        if self.random.chance(BUG_PERCENT)
            && let Some((node, held)) = self.ghosts.pop()
        {
            self.nodes.entry(node).or_insert(SimulatedNode {
                deadline_ns: u64::MAX,
                ..held
            });
        }
    }

    /// Stores the current state, if the planted bug needs earlier states.
    fn remember(&mut self) {
        if !matches!(
            self.bug,
            Some(SimulatedBug::StaleLookup | SimulatedBug::FracturedLookup)
        ) {
            return;
        }
        if self.past.len() == MAX_PAST {
            self.past.pop_front();
        }
        self.past.push_back((self.nodes.clone(), self.index));
    }

    /// Applies an announcement or a withdrawal, and logs it.
    fn change(&mut self, now_ns: u64, call_ns: u64, change: &Input) {
        let Some(node) = change.node().cloned() else {
            return;
        };
        let applied = match change {
            Input::Announce {
                pool, types, token, ..
            } => {
                let held = SimulatedNode {
                    pool: pool.clone(),
                    types: types.clone(),
                    token: *token,
                    deadline_ns: now_ns + self.life_ns(),
                };
                self.nodes.insert(node.clone(), held);
                Applied::Announce {
                    node,
                    pool: pool.clone(),
                    types: types.clone(),
                    token: *token,
                }
            }
            _ => {
                if let Some(held) = self.nodes.remove(&node) {
                    self.ghosts.push((node.clone(), held));
                }
                Applied::Withdraw { node }
            }
        };
        self.append(now_ns, call_ns, applied);
    }

    fn life_ns(&mut self) -> u64 {
        if self.is_bug(SimulatedBug::EarlyExpiry) {
            return MAX_AGE_NS / 4;
        }
        MAX_AGE_NS + self.random.below(MAX_AGE_NS / 2)
    }

    /// Adds a change to the last entry if the change was called before the entry was created, and
    /// the entry does not change the same node. Otherwise creates a new entry.
    fn append(&mut self, now_ns: u64, call_ns: u64, applied: Applied) {
        let can_join = self.batch_ns.is_some_and(|batch_ns| call_ns < batch_ns);
        if let Some(entry) = self.entries.last_mut()
            && can_join
            && entry
                .applied
                .iter()
                .all(|other| other.node() != applied.node())
        {
            entry.applied.push(applied);
            return;
        }
        self.index += 1;
        self.batch_ns = Some(now_ns);
        self.entries.push(LogEntry {
            index: self.index,
            applied: vec![applied],
        });
    }

    /// Returns the result of a lookup and its index. If the planted bug takes effect in this
    /// lookup, the result contains an earlier state of all or of some nodes.
    fn look(
        &mut self,
        service_type: Option<&Name>,
        pool: Option<&Name>,
    ) -> (Vec<RecordedService>, u64) {
        let mut nodes = self.nodes.clone();
        let mut index = self.index;
        let is_stale = self.is_bug(SimulatedBug::StaleLookup);
        let is_fractured = self.is_bug(SimulatedBug::FracturedLookup);
        if let Some((past, past_index)) = self.past.front()
            && (is_stale || is_fractured)
        {
            // Half of the stale lookups report the current index, the other half the index of the
            // state that they show.
            if is_stale && self.random.chance(50) {
                index = *past_index;
            }
            for node in self.nodes.keys().chain(past.keys()) {
                if is_stale || self.random.chance(50) {
                    match past.get(node) {
                        Some(held) => nodes.insert(node.clone(), held.clone()),
                        None => nodes.remove(node),
                    };
                }
            }
        }
        let services = nodes.iter().flat_map(|(node, held)| {
            held.types.iter().map(|service_type| RecordedService {
                service_type: service_type.clone(),
                pool: held.pool.clone(),
                node: node.clone(),
                token: held.token,
            })
        });
        let is_asked_for = |service: &RecordedService| {
            service_type.is_none_or(|one| *one == service.service_type)
                && pool.is_none_or(|one| *one == service.pool)
        };
        (services.filter(is_asked_for).collect(), index)
    }
}
