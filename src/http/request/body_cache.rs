//! A cache of recently parsed announcement bodies, which maps each body to the digest of its
//! announcement.
//!
//! A node announces the same bytes every few seconds. Without the cache, parsing and digesting
//! these bytes would be a considerable part of the cost of a renewal (docs/PERFORMANCE.md).

use crate::locks::lock;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::sync::Mutex;

/// Number of slots, which together take 2 MB. With 10,000 bodies, one body in seven finds its slot
/// taken by another body.
const SLOTS: usize = 1 << 16;

/// A cache that maps bodies to digests, with one slot for each hash value modulo `SLOTS`.
///
/// - A body is identified by 128 bits of SipHash under a random key that is drawn at start. Without
///   the key, no one can construct two bodies with the same hash.
/// - When two bodies share a slot, the later one replaces the earlier one. The replaced body is
///   parsed again when it is next received.
pub(in crate::http) struct BodyCache {
    hasher: SipHasher13,
    /// Pairs of hash and digest; an empty slot holds zeros.
    slots: Mutex<Vec<[u128; 2]>>,
}

/// The hash of a body and its node id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct BodyHash(u128);

impl BodyCache {
    pub(in crate::http) fn new() -> BodyCache {
        let key = rand::random();
        BodyCache {
            hasher: SipHasher13::new_with_key(&key),
            slots: Mutex::new(vec![[0; 2]; SLOTS]),
        }
    }

    /// Returns the hash of a body that a node sent.
    pub(in crate::http) fn hash(&self, node_id: &str, body: &[u8]) -> BodyHash {
        let mut hasher = self.hasher;
        hasher.write_usize(node_id.len());
        hasher.write(node_id.as_bytes());
        hasher.write(body);
        BodyHash(hasher.finish128().as_u128())
    }

    /// Returns the digest of the body's announcement, if it is cached.
    pub(in crate::http) fn digest(&self, hash: BodyHash) -> Option<u128> {
        let slots = lock(&self.slots);
        let [known, digest] = slots[hash.slot()];
        (known == hash.0).then_some(digest)
    }

    /// Caches the digest of the announcement that the body was parsed to.
    pub(in crate::http) fn note(&self, hash: BodyHash, digest: u128) {
        let mut slots = lock(&self.slots);
        slots[hash.slot()] = [hash.0, digest];
    }
}

impl BodyHash {
    fn slot(self) -> usize {
        self.0 as usize % SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body is found only after it was stored, and only with all of its bytes and the same node
    /// id. Two caches compute different hashes.
    #[test]
    fn a_body_is_known_by_all_of_it() {
        let bodies = BodyCache::new();
        let hash = bodies.hash("w1", b"{}");
        assert_eq!(bodies.digest(hash), None);
        bodies.note(hash, 7);
        assert_eq!(bodies.digest(bodies.hash("w1", b"{}")), Some(7));
        for (node_id, body) in [
            ("w1", &b"{} "[..]),
            ("w", b"1{}"),
            ("w1{", b"}"),
            ("w2", b"{}"),
        ] {
            assert_eq!(bodies.digest(bodies.hash(node_id, body)), None);
        }
        assert_ne!(BodyCache::new().hash("w1", b"{}"), hash);
    }

    /// The cache never grows beyond its slots. When two bodies share a slot, the later one replaces
    /// the earlier one.
    #[test]
    fn the_last_has_the_place() {
        let bodies = BodyCache::new();
        let first = BodyHash(5);
        let second = BodyHash(5 + SLOTS as u128);
        bodies.note(first, 1);
        bodies.note(second, 2);
        assert_eq!(bodies.digest(first), None);
        assert_eq!(bodies.digest(second), Some(2));
    }
}
