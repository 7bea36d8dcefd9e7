//! What came of a history.

use super::violation::Violation;
use crate::history::Operation;

/// How many violations are kept; the first ones tell what happened.
pub const MAX_VIOLATIONS: usize = 20;

/// What came of a history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Certificate {
    /// Changes that were placed, unknown ones included.
    pub writes: usize,
    /// Lookups that were compared.
    pub lookups: usize,
    /// Changes of unknown fate that were found to have happened.
    pub unknown_placed: usize,
    /// Expiries.
    pub expiries: usize,
    /// The first violations.
    pub violations: Vec<Violation>,
    /// How many there are in all.
    pub violation_count: usize,
}

impl Certificate {
    /// Whether the history is strictly serializable and keeps the promises on durability and expiry.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violation_count == 0
    }

    /// Each violation kept, with its operations.
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

    pub(super) fn report(&mut self, violation: Violation) {
        self.violation_count += 1;
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(violation);
        }
    }
}
