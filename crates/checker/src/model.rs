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

use crate::linearizable::Model;
use crate::max_age::MaxAge;
use std::sync::Arc;

/// One type in one pool.
#[derive(Debug, Clone, Copy)]
pub struct GroupModel {
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
        /// The nodes shown, by number, each once, with their tokens; none if what was shown is no state at all.
        found: Option<Box<[(usize, u64)]>>,
        /// When the answer was there.
        return_ns: u64,
    },
}

/// What a change of unknown fate may have done for a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// The node was withdrawn.
    Gone(usize),
    /// The node announced this token.
    Announced(usize, u64),
}

impl GroupOp {
    /// Whether it is a lookup that shows a node.
    #[must_use]
    pub fn shows(&self, node: usize) -> bool {
        match self {
            GroupOp::Lookup { found, .. } => shows(found.as_deref().unwrap_or_default(), node),
            _ => false,
        }
    }
}

fn shows(found: &[(usize, u64)], node: usize) -> bool {
    found
        .binary_search_by_key(&node, |(other, _)| *other)
        .is_ok()
}

impl Model for GroupModel {
    /// The nodes that are held, by number.
    type State = Arc<[(usize, Held)]>;
    type Op = GroupOp;
    type Need = Need;

    fn initial(&self) -> Self::State {
        Arc::new([])
    }

    fn step(&self, state: &Self::State, op: &GroupOp) -> Option<Self::State> {
        match op {
            GroupOp::Announce {
                node,
                token,
                call_ns,
            } => {
                let low_ns = held(state, *node).map_or(*call_ns, |held| held.low_ns.max(*call_ns));
                let token = *token;
                let others = state.iter().filter(|(other, _)| other != node).copied();
                let mut after: Vec<(usize, Held)> = others.collect();
                let at = after.partition_point(|(other, _)| other < node);
                after.insert(at, (*node, Held { token, low_ns }));
                Some(after.into())
            }
            GroupOp::Withdraw { node } => Some(match held(state, *node) {
                Some(_) => only(state, |other| other != *node),
                None => state.clone(),
            }),
            GroupOp::Lookup { found, return_ns } => self.look(state, found.as_deref()?, *return_ns),
        }
    }

    /// A lookup needs a change of each node that it shows as it is not, and of none else: a renewal of what is held only puts off
    /// the time from which a lookup may miss it, and forbids some lookups and allows none.
    fn needs(&self, state: &Self::State, op: &GroupOp) -> Option<Vec<Need>> {
        let GroupOp::Lookup { found, return_ns } = op else {
            return Some(Vec::new());
        };
        let found = found.as_deref()?;
        let goes = state.iter().filter(|(node, held)| {
            !shows(found, *node) && !self.may_have_expired(held, *return_ns)
        });
        let comes = found
            .iter()
            .filter(|(node, token)| held(state, *node).is_none_or(|held| held.token != *token));
        let comes = comes.map(|(node, token)| Need::Announced(*node, *token));
        Some(
            goes.map(|(node, _)| Need::Gone(*node))
                .chain(comes)
                .collect(),
        )
    }

    fn meets(&self, op: &GroupOp) -> Option<Need> {
        match op {
            GroupOp::Announce { node, token, .. } => Some(Need::Announced(*node, *token)),
            GroupOp::Withdraw { node } => Some(Need::Gone(*node)),
            GroupOp::Lookup { .. } => None,
        }
    }
}

impl GroupModel {
    fn look(
        &self,
        state: &Arc<[(usize, Held)]>,
        found: &[(usize, u64)],
        return_ns: u64,
    ) -> Option<Arc<[(usize, Held)]>> {
        let mut left = found.iter().peekable();
        for (node, held) in state.iter() {
            let is_right = match left.next_if(|(other, _)| other == node) {
                Some((_, token)) => *token == held.token,
                None => self.may_have_expired(held, return_ns),
            };
            if !is_right {
                return None;
            }
        }
        if left.next().is_some() {
            return None;
        }
        if found.len() == state.len() {
            return Some(state.clone());
        }
        Some(only(state, |node| shows(found, node)))
    }

    fn may_have_expired(&self, held: &Held, return_ns: u64) -> bool {
        return_ns >= held.low_ns.saturating_add(self.max_age.least_life_ns())
    }
}

fn held(state: &[(usize, Held)], node: usize) -> Option<&Held> {
    let at = state
        .binary_search_by_key(&node, |(other, _)| *other)
        .ok()?;
    state.get(at).map(|(_, held)| held)
}

fn only(state: &[(usize, Held)], is_kept: impl Fn(usize) -> bool) -> Arc<[(usize, Held)]> {
    let kept = state.iter().filter(|(node, _)| is_kept(*node));
    kept.copied().collect()
}
