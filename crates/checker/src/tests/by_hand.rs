//! Short constructors for histories.
//!
//! Times are in ms, and everything is in one group `t/p` unless stated otherwise.

use crate::history::{Input, Operation, RecordedService, RequestOutcome};
use crate::max_age::MaxAge;

/// Returns the max-age of histories written by hand: 100 ms. A lookup may omit a node from 99 ms
/// on, since clocks may run 1 % faster.
pub fn max_age() -> MaxAge {
    MaxAge::from_ns(100 * MS)
}

pub const MS: u64 = 1_000_000;

/// Returns an acknowledged announcement of one service `t/p`.
pub fn announce(node: &str, token: u64) -> Operation {
    announce_types(node, &["t"], token)
}

/// Returns an acknowledged announcement of one service of each type, in the pool `p`.
pub fn announce_types(node: &str, types: &[&str], token: u64) -> Operation {
    operation(
        Input::Announce {
            node: node.into(),
            pool: "p".into(),
            types: types.iter().map(|name| (*name).into()).collect(),
            token,
        },
        RequestOutcome::Acked,
    )
}

/// Returns an acknowledged withdrawal.
pub fn withdraw(node: &str) -> Operation {
    operation(Input::Withdraw { node: node.into() }, RequestOutcome::Acked)
}

/// Returns a lookup of `t/p`. Its result contains these nodes and tokens.
pub fn lookup(found: &[(&str, u64)]) -> Operation {
    let found: Vec<(&str, &str, u64)> = found
        .iter()
        .map(|(node, token)| (*node, "t", *token))
        .collect();
    Operation {
        input: Input::Lookup {
            service_type: Some("t".into()),
            pool: Some("p".into()),
        },
        ..lookup_all(&found)
    }
}

/// Returns a lookup of all services. Its result contains these nodes, types and tokens.
pub fn lookup_all(found: &[(&str, &str, u64)]) -> Operation {
    let services = found
        .iter()
        .map(|(node, service_type, token)| RecordedService {
            service_type: (*service_type).into(),
            pool: "p".into(),
            node: (*node).into(),
            token: *token,
        });
    operation(
        Input::Lookup {
            service_type: None,
            pool: None,
        },
        RequestOutcome::Found(services.collect()),
    )
}

fn operation(input: Input, outcome: RequestOutcome) -> Operation {
    Operation {
        client: 0,
        server: 0,
        call_ns: 0,
        arrived_ns: None,
        return_ns: None,
        input,
        outcome,
        index: None,
    }
}

impl Operation {
    /// Sets the times of the call and of the return, and the index of the answer.
    pub fn at(self, call_ms: u64, return_ms: u64, index: u64) -> Self {
        Self {
            call_ns: call_ms * MS,
            return_ns: Some(return_ms * MS),
            index: Some(index),
            ..self
        }
    }

    /// Sets the time by which the server had certainly received the write.
    pub fn arrived(self, arrived_ms: u64) -> Self {
        Self {
            arrived_ns: Some(arrived_ms * MS),
            ..self
        }
    }

    /// Sets the time of the call, and makes the outcome unknown.
    pub fn unknown(self, call_ms: u64) -> Self {
        Self {
            call_ns: call_ms * MS,
            outcome: RequestOutcome::Unknown,
            ..self
        }
    }

    /// Sets the times of the call and of the return, and sets the outcome to refused, so that the
    /// request certainly had no effect.
    pub fn refused(self, call_ms: u64, return_ms: u64) -> Self {
        Self {
            call_ns: call_ms * MS,
            return_ns: Some(return_ms * MS),
            outcome: RequestOutcome::Refused,
            ..self
        }
    }
}
