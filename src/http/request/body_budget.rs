//! A limit on the total size of request bodies in memory. A body counts from its first byte until
//! the outcome of its write is known.

use crate::http::error::ApiError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Maximum size of a body that may use the entire budget. A larger body is rejected once three
/// quarters of the budget are taken. Otherwise, clients that send large bodies slowly could keep
/// engines from announcing themselves.
const SMALL_BYTES: usize = 64 << 10;

/// A budget in bytes. Its clones share one count.
#[derive(Debug, Clone)]
pub(in crate::http) struct Budget {
    max_bytes: usize,
    taken_bytes: Arc<AtomicUsize>,
}

/// The bytes that one body takes from the budget. They are released when the share is dropped.
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

    /// Returns a share of 0 bytes, which grows by the bytes received. A `Content-Length` alone
    /// reserves nothing.
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
    /// Fails if all bodies together would exceed the limit.
    pub(in crate::http) fn add(&mut self, bytes: usize) -> Result<(), ApiError> {
        let Budget {
            max_bytes,
            taken_bytes,
        } = &self.budget;
        let limit = match self.bytes + bytes {
            0..=SMALL_BYTES => *max_bytes,
            _ => *max_bytes / 4 * 3,
        };
        let before = taken_bytes.fetch_add(bytes, Ordering::Relaxed);
        // The bytes are counted before the check, because `drop` releases the bytes even if they
        // are over the limit.
        self.bytes += bytes;
        match before + bytes <= limit {
            true => Ok(()),
            false => Err(ApiError::TooManyBodies),
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

    /// Large bodies may take three quarters of the budget, and small bodies the whole budget. Every
    /// byte is released, including the bytes of rejected bodies.
    #[test]
    fn bodies_share_a_budget() {
        let budget = Budget::new(4 * SMALL_BYTES);
        let mut large = budget.share();
        assert_eq!(large.add(3 * SMALL_BYTES), Ok(()));
        let mut another = budget.share();
        assert_eq!(another.add(SMALL_BYTES + 1), Err(ApiError::TooManyBodies));
        drop(another);
        let mut small = budget.share();
        assert_eq!(small.add(SMALL_BYTES), Ok(()));
        assert_eq!(budget.share().add(1), Err(ApiError::TooManyBodies));
        drop(large);
        assert_eq!(budget.share().add(1), Ok(()));
        drop(small);
        assert_eq!(budget.taken_bytes.load(Ordering::Relaxed), 0);
    }
}
