//! One type in one pool of the registry, as a [`Model`].
//!
//! The state is the announcement of each node. Expiry is a part of lookups and not a separate
//! event, so the search need not guess the time of an expiry.
//!
//! | operation | legal if | state of the node afterwards |
//! |---|---|---|
//! | announce k | always | k, accepted at `low` or later |
//! | withdraw | always | absent |
//! | a lookup shows k | k is stored | unchanged |
//! | a lookup omits the node | absent, or the lookup's return >= `low` + 99 % of max-age | absent |
//!
//! `low` is a lower bound on the time at which the announcement was accepted. It is the later of
//! the time at which the announcement was called and the `low` of the previous announcement. The
//! registry expires an announcement at least max-age after accepting it. A lookup that no longer
//! shows the node returns after the expiry. A history that keeps the promises is therefore never
//! rejected. An early expiry, a node that reappears, a stale lookup and a lost change are never
//! accepted.
//!
//! A lookup reads all nodes of the group in one step, so a result that mixes two states is
//! detected. A separate model for each node would miss the mixture.

use crate::linearizable::Model;
use crate::max_age::MaxAge;
use std::sync::Arc;

/// The model of one group: one type in one pool.
#[derive(Debug, Clone, Copy)]
pub struct GroupModel {
    /// The guaranteed lifetime of an announcement without a renewal.
    pub max_age: MaxAge,
}

/// The stored announcement of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelNode {
    /// The token of the announcement.
    pub token: u64,
    /// Lower bound on the time at which the announcement was accepted.
    pub low_ns: u64,
}

/// An operation on the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupOp {
    /// A node announced itself, or renewed its announcement.
    Announce {
        /// The number of the node within the group.
        node: usize,
        /// The token of the announcement.
        token: u64,
        /// The time of the call.
        call_ns: u64,
    },
    /// A node left the group.
    Withdraw {
        /// The number of the node within the group.
        node: usize,
    },
    /// A client read the group.
    Lookup {
        /// The numbers of the nodes shown, each once, with their tokens. `None` if the result is
        /// not a possible state.
        found: Option<Box<[(usize, u64)]>>,
        /// The time at which the answer was read.
        return_ns: u64,
    },
}

/// An effect that a lookup needs from a change with an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// The node was withdrawn.
    Gone(usize),
    /// The node announced this token.
    Announced(usize, u64),
}

impl GroupOp {
    /// Whether the operation is a lookup that shows a node.
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
    /// The stored announcements, sorted by the number of the node.
    type State = Arc<[(usize, ModelNode)]>;
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
                let mut after: Vec<(usize, ModelNode)> = others.collect();
                let at = after.partition_point(|(other, _)| other < node);
                after.insert(at, (*node, ModelNode { token, low_ns }));
                Some(after.into())
            }
            GroupOp::Withdraw { node } => Some(match held(state, *node) {
                Some(_) => only(state, |other| other != *node),
                None => state.clone(),
            }),
            GroupOp::Lookup { found, return_ns } => self.look(state, found.as_deref()?, *return_ns),
        }
    }

    /// Returns the changes that a lookup needs: one for each node whose stored state differs from
    /// the result. A lookup never needs a renewal of a stored announcement. A renewal delays the
    /// time from which lookups may omit the node, so a renewal can only make lookups illegal.
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
    /// Checks the result of a lookup against the state, and removes the nodes that the lookup shows
    /// to have expired. Returns `None` if the result is wrong.
    fn look(
        &self,
        state: &Arc<[(usize, ModelNode)]>,
        found: &[(usize, u64)],
        return_ns: u64,
    ) -> Option<Arc<[(usize, ModelNode)]>> {
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

    /// Whether an announcement may have expired by the time at which a lookup returned.
    fn may_have_expired(&self, held: &ModelNode, return_ns: u64) -> bool {
        return_ns >= held.low_ns.saturating_add(self.max_age.least_life_ns())
    }
}

fn held(state: &[(usize, ModelNode)], node: usize) -> Option<&ModelNode> {
    let at = state
        .binary_search_by_key(&node, |(other, _)| *other)
        .ok()?;
    state.get(at).map(|(_, held)| held)
}

fn only(
    state: &[(usize, ModelNode)],
    is_kept: impl Fn(usize) -> bool,
) -> Arc<[(usize, ModelNode)]> {
    let kept = state.iter().filter(|(node, _)| is_kept(*node));
    kept.copied().collect()
}
