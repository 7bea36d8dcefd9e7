//! Single modifications of the observations of clients, which may or may not break the history.

use crate::history::{Operation, RequestOutcome};
use crate::random::Random;

/// Modifies one property of one operation: its time, its result, or its presence in the history. A
/// modified history is nearly correct more often than a history with a
/// [`SimulatedBug`](super::SimulatedBug).
pub fn garble(seed: u64, history: &mut Vec<Operation>) {
    let mut random = Random::new(seed);
    let positions = random.below(history.len() as u64) as usize..history.len();
    match random.below(4) {
        0 => narrow(&mut random, history, positions),
        1 => drop_service(&mut random, history, positions),
        2 => exchange(history, positions),
        _ => {
            if let Some(position) = positions.into_iter().find(|&at| history[at].is_write()) {
                history.remove(position);
            }
        }
    }
}

type Positions = std::ops::Range<usize>;

/// Makes an operation begin later or end earlier.
fn narrow(random: &mut Random, history: &mut [Operation], mut positions: Positions) {
    let Some(position) = positions.find(|&at| history[at].succeeded()) else {
        return;
    };
    let operation = &mut history[position];
    let middle_ns = operation.call_ns.midpoint(operation.over_by_ns());
    if random.chance(50) {
        operation.call_ns = middle_ns;
        let arrived_ns = operation.arrived_ns;
        operation.arrived_ns = arrived_ns.map(|arrived_ns| arrived_ns.max(middle_ns));
    } else {
        operation.return_ns = Some(middle_ns);
    }
}

/// Removes one service from the result of a lookup.
fn drop_service(random: &mut Random, history: &mut [Operation], positions: Positions) {
    for position in positions {
        if let RequestOutcome::Found(services) = &mut history[position].outcome
            && !services.is_empty()
        {
            let at = random.below(services.len() as u64) as usize;
            services.remove(at);
            return;
        }
    }
}

/// Exchanges the different results of two lookups with equal requests.
fn exchange(history: &mut [Operation], mut positions: Positions) {
    let is_lookup = |operation: &Operation| matches!(operation.outcome, RequestOutcome::Found(_));
    let Some(one) = positions.find(|&at| is_lookup(&history[at])) else {
        return;
    };
    let is_other = |&at: &usize| {
        let (one, other) = (&history[one], &history[at]);
        is_lookup(other) && one.input == other.input && one.outcome != other.outcome
    };
    if let Some(other) = positions.find(is_other) {
        let outcome = history[one].outcome.clone();
        history[one].outcome = std::mem::replace(&mut history[other].outcome, outcome);
    }
}
