//! Which bodies were read lately, and the digests of what they announced.
//!
//! A node announces the same bytes every few seconds. To read them again, and to digest what they say, is a good part of what a renewal
//! costs (docs/PERFORMANCE.md).

use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::sync::{Mutex, PoisonError};

/// Of 10,000 bodies one in seven finds its place taken by another. Together they are 2 MB.
const PLACES: usize = 1 << 16;

/// - A body is known by 128 bits of SipHash under a key drawn at start: nobody who does not know it makes two bodies of one hash.
/// - Of two bodies for one place the later has it. A body that is not found is read, as if it had never come.
pub(in crate::http) struct KnownBodies {
    hasher: SipHasher13,
    /// Hash and digest; zeros where there is none.
    places: Mutex<Vec<[u128; 2]>>,
}

/// Stands for a body and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct BodyHash(u128);

impl KnownBodies {
    pub(in crate::http) fn new() -> KnownBodies {
        let key = rand::random();
        KnownBodies {
            hasher: SipHasher13::new_with_key(&key),
            places: Mutex::new(vec![[0; 2]; PLACES]),
        }
    }

    /// What stands for the body that a node sent.
    pub(in crate::http) fn hash(&self, node_id: &str, body: &[u8]) -> BodyHash {
        let mut hasher = self.hasher;
        hasher.write_usize(node_id.len());
        hasher.write(node_id.as_bytes());
        hasher.write(body);
        BodyHash(hasher.finish128().as_u128())
    }

    /// The digest of what that body announced, if it is known.
    pub(in crate::http) fn digest(&self, hash: BodyHash) -> Option<u128> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let [known, digest] = places[hash.place()];
        (known == hash.0).then_some(digest)
    }

    /// That body was read, and announced what has this digest.
    pub(in crate::http) fn note(&self, hash: BodyHash, digest: u128) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places[hash.place()] = [hash.0, digest];
    }
}

impl BodyHash {
    fn place(self) -> usize {
        self.0 as usize % PLACES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body is known as a whole and with its node, by this process alone, and only once it was noted.
    #[test]
    fn a_body_is_known_by_all_of_it() {
        let bodies = KnownBodies::new();
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
        assert_ne!(KnownBodies::new().hash("w1", b"{}"), hash);
    }

    /// However many come, no more are known than there are places, and of those that share one the last.
    #[test]
    fn the_last_has_the_place() {
        let bodies = KnownBodies::new();
        let first = BodyHash(5);
        let second = BodyHash(5 + PLACES as u128);
        bodies.note(first, 1);
        bodies.note(second, 2);
        assert_eq!(bodies.digest(first), None);
        assert_eq!(bodies.digest(second), Some(2));
    }
}
