//! How many bytes of request bodies a node holds at once: those that are being read, and those
//! whose write is not decided.

use crate::http::error::Refusal;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A body up to this size may use all of the budget, a larger one three quarters of it: clients
/// that send large bodies slowly do not keep engines from announcing themselves.
const SMALL_BYTES: usize = 64 << 10;

/// Counts bytes. Its clones count together.
#[derive(Debug, Clone)]
pub(in crate::http) struct Budget {
    max_bytes: usize,
    taken_bytes: Arc<AtomicUsize>,
}

/// The bytes of one body; given back when dropped.
#[derive(Debug)]
pub(in crate::http) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub(in crate::http) fn new(max_bytes: usize) -> Budget {
        Budget {
            max_bytes,
            taken_bytes: Arc::default(),
        }
    }

    /// A share of no bytes. It grows by what has arrived: the length that a client promises takes
    /// nothing.
    pub(in crate::http) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl Share {
    /// Takes more bytes.
    ///
    /// # Errors
    /// When all bodies together would take more than they may.
    pub(in crate::http) fn add(&mut self, bytes: usize) -> Result<(), Refusal> {
        let Budget {
            max_bytes,
            taken_bytes,
        } = &self.budget;
        let limit = match self.bytes + bytes {
            0..=SMALL_BYTES => *max_bytes,
            _ => *max_bytes / 4 * 3,
        };
        let before = taken_bytes.fetch_add(bytes, Ordering::Relaxed);
        // Counted first and asked then, so that it is given back in any case.
        self.bytes += bytes;
        match before + bytes <= limit {
            true => Ok(()),
            false => Err(Refusal::TooManyBodies),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let taken_bytes = &self.budget.taken_bytes;
        taken_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Large bodies take three quarters, small ones all of it, and everything comes back, what was
    /// refused too.
    #[test]
    fn bodies_share_a_budget() {
        let budget = Budget::new(4 * SMALL_BYTES);
        let mut large = budget.share();
        assert_eq!(large.add(3 * SMALL_BYTES), Ok(()));
        let mut another = budget.share();
        assert_eq!(another.add(SMALL_BYTES + 1), Err(Refusal::TooManyBodies));
        drop(another);
        let mut small = budget.share();
        assert_eq!(small.add(SMALL_BYTES), Ok(()));
        assert_eq!(budget.share().add(1), Err(Refusal::TooManyBodies));
        drop(large);
        assert_eq!(budget.share().add(1), Ok(()));
        drop(small);
        assert_eq!(budget.taken_bytes.load(Ordering::Relaxed), 0);
    }
}
