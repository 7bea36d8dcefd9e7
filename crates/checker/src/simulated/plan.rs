//! The requests of a random history, with the times of their calls and of their effects.

use super::shape::PlanShape;
use crate::history::{Input, Name, Operation, RequestOutcome};
use crate::random::Random;

const MS: u64 = 1_000_000;

/// Number of nodes in the cluster.
const SERVERS: u64 = 3;

/// Share of refused requests, in percent.
const REFUSED_PERCENT: u64 = 3;

/// An operation whose result is not known yet.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The operation. A lookup that will be answered has an empty `Found` as its outcome.
    pub operation: Operation,
    /// The time at which the operation takes effect. `None` if it never does.
    pub effect_ns: Option<u64>,
}

/// Draws the requests, in the order of their calls.
pub fn draw(random: &mut Random, shape: &PlanShape) -> Vec<Planned> {
    let mut drawing = Drawing {
        random,
        shape,
        tokens: vec![0; shape.nodes as usize],
        lives: vec![0; shape.nodes as usize],
        last_token: 0,
    };
    let mut free_ns: Vec<u64> = vec![0; shape.clients as usize];
    let mut plan = Vec::with_capacity(shape.operations);
    while plan.len() < shape.operations {
        let Some((client, call_ns)) = free_ns
            .iter()
            .copied()
            .enumerate()
            .min_by_key(|(_, at)| *at)
        else {
            break;
        };
        let planned = drawing.operation(client as u32, call_ns);
        let over_ns = planned.operation.return_ns.unwrap_or(call_ns + 20 * MS);
        free_ns[client] = over_ns + 1 + drawing.random.below(8 * MS);
        plan.push(planned);
    }
    plan
}

/// The state from which the next request is drawn.
struct Drawing<'a> {
    random: &'a mut Random,
    shape: &'a PlanShape,
    /// The last token of each node.
    tokens: Vec<u64>,
    /// Number of ids that each node has abandoned.
    lives: Vec<u64>,
    last_token: u64,
}

impl Drawing<'_> {
    fn operation(&mut self, client: u32, call_ns: u64) -> Planned {
        let is_write = self.random.chance(self.shape.write_percent);
        let number = self.random.below(self.shape.nodes);
        let input = if is_write {
            self.change(number)
        } else {
            self.lookup()
        };
        let effect_ns = call_ns + 1 + self.random.below(5 * MS);
        let return_ns = effect_ns + 1 + self.random.below(5 * MS);
        let (outcome, effect_ns, return_ns) = if self.random.chance(REFUSED_PERCENT) {
            (RequestOutcome::Refused, None, Some(return_ns))
        } else if !is_write {
            (
                RequestOutcome::Found(Vec::new()),
                Some(effect_ns),
                Some(return_ns),
            )
        } else if self.random.chance(self.shape.unknown_percent) {
            if self.shape.abandons {
                self.lives[number as usize] += 1;
                self.tokens[number as usize] = 0;
            }
            let late_ns = call_ns + 1 + self.random.below(60 * MS);
            let effect_ns = self.random.chance(60).then_some(late_ns);
            let return_ns = self.random.chance(50).then_some(return_ns);
            (RequestOutcome::Unknown, effect_ns, return_ns)
        } else {
            (RequestOutcome::Acked, Some(effect_ns), Some(return_ns))
        };
        let arrives_by_ns = effect_ns.unwrap_or(call_ns + 5 * MS).min(call_ns + 5 * MS);
        let arrived_ns = (is_write && self.random.chance(80))
            .then(|| call_ns + self.random.below(arrives_by_ns - call_ns));
        let operation = Operation {
            client,
            server: self.random.below(SERVERS) as u32,
            call_ns,
            arrived_ns,
            return_ns,
            input,
            outcome,
            index: None,
        };
        Planned {
            operation,
            effect_ns,
        }
    }

    fn change(&mut self, number: u64) -> Input {
        let life = self.lives[number as usize];
        let node = Name::from(format!("n{number}-{life}"));
        if self.random.chance(15) {
            return Input::Withdraw { node };
        }
        let group = number % self.shape.groups;
        let mut types = vec![type_of(group)];
        if self.shape.is_wide && number.is_multiple_of(3) {
            types.push(type_of(group + 2));
        }
        let token = &mut self.tokens[number as usize];
        if *token == 0 || self.random.chance(50) {
            self.last_token += 1;
            *token = self.last_token;
        }
        Input::Announce {
            node,
            pool: pool_of(group),
            types,
            token: *token,
        }
    }

    fn lookup(&mut self) -> Input {
        let group = self.random.below(self.shape.groups);
        let has_pool = !self.shape.is_wide || self.random.chance(70);
        let has_type = has_pool || self.random.chance(50);
        Input::Lookup {
            service_type: has_type.then(|| type_of(group)),
            pool: has_pool.then(|| pool_of(group)),
        }
    }
}

fn type_of(group: u64) -> Name {
    format!("t{}", group / 2).into()
}

fn pool_of(group: u64) -> Name {
    format!("p{}", group % 2).into()
}
