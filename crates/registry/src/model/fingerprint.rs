//! Digests that do not depend on the release, the machine or the iteration order of a map.

use sha2::{Digest as _, Sha256};

/// A hash over the parts of a value. The result is the first 16 bytes of a SHA-256.
///
/// - Unambiguous: every text is preceded by its length, every number has eight bytes.
/// - Stable: the fields that are hashed, and their order, are part of the wire format between
///   releases.
#[derive(Debug, Clone)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Starts a digest for one kind of value. Digests of different kinds never collide.
    pub fn of(kind: &str) -> Self {
        Self(Sha256::new()).text(kind)
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds bytes preceded by their length, in the same way as [`Fingerprint::text`] adds a text.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.update(number.to_le_bytes());
        self
    }

    /// Adds another digest.
    #[must_use]
    pub fn digest(mut self, digest: u128) -> Self {
        self.0.update(digest.to_le_bytes());
        self
    }

    /// Adds a map: its size, then its keys and values in order.
    #[must_use]
    pub fn map<'a>(self, map: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> Self {
        let start = self.number(map.len() as u64);
        map.fold(start, |so_far, (key, value)| so_far.text(key).text(value))
    }

    /// Returns the digest.
    pub fn finish(self) -> u128 {
        let bytes: [u8; 32] = self.0.finalize().into();
        let (first, _) = bytes.split_at(16);
        first
            .iter()
            .rev()
            .fold(0, |so_far, byte| (so_far << 8) | u128::from(*byte))
    }
}
