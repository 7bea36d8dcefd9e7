//! One type in one pool of the registry, as a [`Model`]: what each node announced, with expiry folded into lookups.
//!
//! | what | may happen when | and then |
//! |---|---|---|
//! | announce k | always | k, accepted at `low` or later |
//! | withdraw | always | absent |
//! | a lookup shows k | k is held | |
//! | a lookup does not show the node | absent, or the lookup returned at least max-age after `low` | absent |
//!
//! `low` is a lower bound of when the announcement was accepted: the time of its call, or the `low` of the announcement before
//! it if that is later. Real expiry comes at least max-age after the acceptance and the lookup that misses the node returns
//! after that, so what keeps the promises is never called broken. What expires early, comes back, is stale or is lost has
//! no way through. Expiry needs no events of its own, so the search has nothing to guess.
//!
//! A lookup reads every node of the group at once: a mixture of two states is found, which one model a node would not do.

use crate::MaxAge;
use crate::linearizable::Model;
use std::sync::Arc;

/// One type in one pool.
#[derive(Debug, Clone, Copy)]
pub struct GroupModel {
    /// How many nodes there are; they are numbered from 0.
    pub nodes: usize,
    /// How long an announcement lives at least.
    pub max_age: MaxAge,
}

/// What is held of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// Which announcement.
    pub token: u64,
    /// It was accepted at this time or later.
    pub low_ns: u64,
}

/// An operation on the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupOp {
    /// A node announced itself, or renewed.
    Announce {
        /// Its number.
        node: usize,
        /// What it announced.
        token: u64,
        /// When it asked.
        call_ns: u64,
    },
    /// A node left the group.
    Withdraw {
        /// Its number.
        node: usize,
    },
    /// Somebody looked.
    Lookup {
        /// The token of each node, by number; none if what was shown is no state at all, such as a node twice.
        found: Option<Box<[Option<u64>]>>,
        /// When the answer was there.
        return_ns: u64,
    },
}

impl Model for GroupModel {
    type State = Arc<[Option<Held>]>;
    type Op = GroupOp;

    fn initial(&self) -> Self::State {
        vec![None; self.nodes].into()
    }

    fn step(&self, state: &Self::State, op: &GroupOp) -> Option<Self::State> {
        match op {
            GroupOp::Announce {
                node,
                token,
                call_ns,
            } => {
                let low_ns = state[*node].map_or(*call_ns, |held| held.low_ns.max(*call_ns));
                let token = *token;
                Some(with(state, *node, Some(Held { token, low_ns })))
            }
            GroupOp::Withdraw { node } => Some(with(state, *node, None)),
            GroupOp::Lookup { found, return_ns } => self.look(state, found.as_deref()?, *return_ns),
        }
    }
}

impl GroupModel {
    fn look(
        &self,
        state: &Arc<[Option<Held>]>,
        found: &[Option<u64>],
        return_ns: u64,
    ) -> Option<Arc<[Option<Held>]>> {
        let mut after = state.clone();
        for (node, (held, shown)) in state.iter().zip(found).enumerate() {
            match (held, shown) {
                (None, None) => {}
                (Some(held), Some(token)) if held.token == *token => {}
                (Some(held), None) if self.may_have_expired(held, return_ns) => {
                    after = with(&after, node, None);
                }
                _ => return None,
            }
        }
        Some(after)
    }

    fn may_have_expired(&self, held: &Held, return_ns: u64) -> bool {
        return_ns >= held.low_ns.saturating_add(self.max_age.least_life_ns())
    }
}

fn with(state: &Arc<[Option<Held>]>, node: usize, held: Option<Held>) -> Arc<[Option<Held>]> {
    let mut after = state.clone();
    if let Some(slot) = Arc::make_mut(&mut after).get_mut(node) {
        *slot = held;
    }
    after
}
