//! The number of iterations that may be spent on one store.

use crate::key_store::error::KeyStoreError;
use crate::key_store::limits::ITERATIONS_MAX;
use std::num::NonZeroU32;

/// Checks the number of iterations of one derivation, which the file chooses.
pub(crate) fn checked_iterations(iterations: u64) -> Result<NonZeroU32, KeyStoreError> {
    if iterations > ITERATIONS_MAX {
        return Err(KeyStoreError::TooManyIterations(iterations));
    }
    let checked = u32::try_from(iterations).ok().and_then(NonZeroU32::new);
    checked.ok_or(KeyStoreError::Damaged("it uses no iterations"))
}

/// The iterations that are left for the keys of a store. A small file can contain thousands of
/// encrypted keys, each with as many iterations as are allowed for one.
pub(crate) struct IterationBudget {
    limit: u64,
    left: u64,
}

impl IterationBudget {
    pub(crate) fn new(limit: u64) -> IterationBudget {
        let left = limit;
        IterationBudget { limit, left }
    }

    /// Takes the iterations of a derivation, before it begins.
    pub(crate) fn take(&mut self, iterations: NonZeroU32) -> Result<(), KeyStoreError> {
        let left = self.left.checked_sub(u64::from(iterations.get()));
        self.left = left.ok_or(KeyStoreError::TooManyIterationsInAll(self.limit))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each derivation is limited, and so are all of them together.
    #[test]
    fn iterations_are_limited() {
        let most = checked_iterations(ITERATIONS_MAX).expect("it is allowed");
        for iterations in [ITERATIONS_MAX + 1, 1 << 31, u64::MAX] {
            let refused = checked_iterations(iterations);
            assert_eq!(refused, Err(KeyStoreError::TooManyIterations(iterations)));
        }
        assert!(checked_iterations(0).is_err());
        let mut budget = IterationBudget::new(ITERATIONS_MAX * 2);
        for _ in 0..2 {
            assert_eq!(budget.take(most), Ok(()));
        }
        let exhausted = budget.take(NonZeroU32::MIN);
        assert_eq!(
            exhausted,
            Err(KeyStoreError::TooManyIterationsInAll(10_000_000))
        );
    }
}
