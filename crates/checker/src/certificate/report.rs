//! The verdict of the second layer on a history.

use super::violation::Violation;
use crate::history::Operation;

/// Maximum number of stored violations. The first violations are stored, since they show what
/// happened.
pub const MAX_VIOLATIONS: usize = 20;

/// The verdict on a history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Certificate {
    /// Number of changes in the replay, including those with an unknown outcome.
    pub writes: usize,
    /// Number of lookups that were compared with the replayed state.
    pub lookups: usize,
    /// Number of changes with an unknown outcome that the replay applied.
    pub unknown_placed: usize,
    /// Number of expiries in the replay.
    pub expiries: usize,
    /// The stored violations, namely the first ones.
    pub violations: Vec<Violation>,
    /// Number of all violations, including those that are not stored.
    pub violation_count: usize,
}

impl Certificate {
    /// Whether the history is strictly serializable and keeps the promises on durability and
    /// expiry.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violation_count == 0
    }

    /// Returns a description of each stored violation, with its operations.
    #[must_use]
    pub fn explain(&self, history: &[Operation]) -> String {
        let mut text = String::new();
        for violation in &self.violations {
            text.push_str(&violation.explain(history));
        }
        if self.violation_count > self.violations.len() {
            let more = self.violation_count - self.violations.len();
            text.push_str(&format!("and {more} more\n"));
        }
        text
    }

    /// Counts a violation, and stores it if it is among the first [`MAX_VIOLATIONS`].
    pub(super) fn report(&mut self, violation: Violation) {
        self.violation_count += 1;
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(violation);
        }
    }
}
