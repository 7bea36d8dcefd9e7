//! What can be wrong with a history.

use crate::history::{Name, Operation, Service};
use std::fmt::Write;

/// A promise that was broken. Operations are positions in the history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An answer of 2xx without an index.
    #[error("an answer of 2xx has no Quorate-Index")]
    NoIndex {
        /// Which.
        operation: usize,
    },
    /// Real time and indexes disagree: promise b.
    #[error("the second was called after the first had returned, and has no later index")]
    BackInTime {
        /// Returned before `second` was called.
        first: usize,
        /// Has an index that is too early.
        second: usize,
    },
    /// A lookup shows other than the state of its index: promises a, b and e.
    #[error(
        "a lookup at index {index} shows other than the state: missing {missing:?}, wrong {wrong:?}"
    )]
    WrongLookup {
        /// Which.
        operation: usize,
        /// Its index.
        index: u64,
        /// What it should have shown too.
        missing: Vec<Service>,
        /// What it should not have shown.
        wrong: Vec<Service>,
    },
    /// An acknowledged change is not in the log at its index: promise a.
    #[error("an acknowledged change is not in the log at its index")]
    LostAck {
        /// Which.
        operation: usize,
    },
    /// Something happened that was answered "it surely did not": promise f.
    #[error("entry {index} holds a change that was refused")]
    RefusedButApplied {
        /// Which.
        operation: usize,
        /// Where it is.
        index: u64,
    },
    /// A change that no client asked for, or not so often: one proposed twice.
    #[error("entry {index} changes {node} more often than clients asked")]
    NobodyAsked {
        /// Whom it changes.
        node: Name,
        /// Where it is.
        index: u64,
    },
    /// It took effect before it was asked for.
    #[error("it took effect at index {index}, which the first knew before the second was called")]
    BeforeItsCall {
        /// Returned with that index or a later one.
        first: usize,
        /// The change.
        second: usize,
        /// Where it is.
        index: u64,
    },
    /// A write took effect after a later one of the same node id that was acknowledged: promise e.
    #[error(
        "the first had arrived when the second was called, and took effect at index {index}, after the second"
    )]
    Overtaken {
        /// The write that took effect too late.
        first: usize,
        /// The later one, which was acknowledged with an earlier index.
        second: usize,
        /// Where the first took effect.
        index: u64,
    },
    /// A node expired, or was gone with no other reason, too early: promise c.
    #[error(
        "{node} was gone at index {index}, at most {age_ms} ms after its last accepted renewal"
    )]
    EarlyExpiry {
        /// Who.
        node: Name,
        /// Where.
        index: u64,
        /// Upper bound of how long ago its last renewal was accepted.
        age_ms: u64,
        /// The renewal, if it is in the history.
        renewal: Option<usize>,
        /// The first answer that knew.
        known_by: usize,
    },
    /// Two changes of one node, not the same, were acknowledged with one index.
    #[error("two changes of one node have one index")]
    TwoAtOneIndex {
        /// One.
        first: usize,
        /// The other.
        second: usize,
    },
}

impl Violation {
    /// What is wrong, and the operations in question.
    #[must_use]
    pub fn explain(&self, history: &[Operation]) -> String {
        let mut text = format!("{self}\n");
        for operation in self.operations().iter().filter_map(|&at| history.get(at)) {
            // A String takes everything.
            let _ = writeln!(text, "    {operation}");
        }
        text
    }

    fn operations(&self) -> Vec<usize> {
        match *self {
            Self::NoIndex { operation }
            | Self::WrongLookup { operation, .. }
            | Self::LostAck { operation }
            | Self::RefusedButApplied { operation, .. } => vec![operation],
            Self::BackInTime { first, second }
            | Self::BeforeItsCall { first, second, .. }
            | Self::Overtaken { first, second, .. }
            | Self::TwoAtOneIndex { first, second } => vec![first, second],
            Self::EarlyExpiry {
                renewal, known_by, ..
            } => renewal.into_iter().chain([known_by]).collect(),
            Self::NobodyAsked { .. } => Vec::new(),
        }
    }
}
