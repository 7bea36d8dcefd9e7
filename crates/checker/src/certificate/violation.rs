//! The violations that a history can contain.

use crate::history::{Name, Operation, RecordedService};
use std::fmt::Write;

/// A violation of the rules of the second layer. Promises are named by their letters in
/// docs/PROMISES.md, and operations by their positions in the history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A 2xx answer has no index.
    #[error("an answer of 2xx has no Quorate-Index")]
    NoIndex {
        /// The operation.
        operation: usize,
    },
    /// The indexes of two answers contradict their order in real time (promise b).
    #[error("the second was called after the first had returned, and has no later index")]
    BackInTime {
        /// The operation that returned before `second` was called.
        first: usize,
        /// The operation with an index that is too early.
        second: usize,
    },
    /// A lookup does not show the state of its index (promises a, b and e).
    #[error(
        "a lookup at index {index} shows other than the state: missing {missing:?}, wrong {wrong:?}"
    )]
    WrongLookup {
        /// The lookup.
        operation: usize,
        /// The index of the lookup.
        index: u64,
        /// The services that the lookup should also have shown.
        missing: Vec<RecordedService>,
        /// The services that the lookup should not have shown.
        wrong: Vec<RecordedService>,
    },
    /// An acknowledged change is not in the log at its index (promise a).
    #[error("an acknowledged change is not in the log at its index")]
    LostAck {
        /// The change.
        operation: usize,
    },
    /// A refused change happened (promise f). The answer had said that the change certainly did not
    /// happen.
    #[error("entry {index} holds a change that was refused")]
    RefusedButApplied {
        /// The refused change.
        operation: usize,
        /// The index of the change in the log.
        index: u64,
    },
    /// A change happened that no client requested, or a requested change happened twice because it
    /// was proposed twice.
    #[error("entry {index} changes {node} more often than clients asked")]
    NobodyAsked {
        /// The changed node.
        node: Name,
        /// The index of the change in the log.
        index: u64,
    },
    /// A change took effect before it was requested.
    #[error("it took effect at index {index}, which the first knew before the second was called")]
    BeforeItsCall {
        /// The operation whose answer had `index` or a later index, and that returned before
        /// `second` was called.
        first: usize,
        /// The change.
        second: usize,
        /// The index of the change in the log.
        index: u64,
    },
    /// A write took effect although another write of the same node id had overtaken it (promise e).
    /// The other write was called after this write had arrived, and was acknowledged with an
    /// earlier index.
    #[error(
        "the first had arrived when the second was called, and took effect at index {index}, \
         after the second"
    )]
    Overtaken {
        /// The write that took effect too late.
        first: usize,
        /// The write that was called after `first` had arrived, and was acknowledged with an index
        /// earlier than `index`.
        second: usize,
        /// The index at which the first write took effect.
        index: u64,
    },
    /// A node expired, or disappeared without a withdrawal, before max-age was over (promise c).
    #[error(
        "{node} was gone at index {index}, at most {age_ms} ms after its last accepted renewal"
    )]
    EarlyExpiry {
        /// The node.
        node: Name,
        /// The index of the expiry.
        index: u64,
        /// Upper bound on the time between the last accepted renewal of the node and the expiry.
        age_ms: u64,
        /// The renewal, if it is in the history.
        renewal: Option<usize>,
        /// The first answer with the index of the expiry or a later one.
        known_by: usize,
    },
    /// Two different changes of one node were acknowledged with one index.
    #[error("two changes of one node have one index")]
    TwoAtOneIndex {
        /// One of the changes.
        first: usize,
        /// The other change.
        second: usize,
    },
}

impl Violation {
    /// Describes the violation, with its operations.
    #[must_use]
    pub fn explain(&self, history: &[Operation]) -> String {
        let mut text = format!("{self}\n");
        for operation in self.operations().iter().filter_map(|&at| history.get(at)) {
            // Writing to a String cannot fail.
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
