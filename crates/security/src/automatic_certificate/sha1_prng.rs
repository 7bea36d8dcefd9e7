//! Java's random number generator `SHA1PRNG`.
//!
//! With a seed, it always gives the same bytes. This description is of the class
//! `sun.security.provider.SecureRandom` of the JDK, which is the same in JDK 17 and 25.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN, digest};

/// A generator that has been seeded once.
pub(super) struct Sha1Prng {
    state: [u8; SHA1_OUTPUT_LEN],
}

impl Sha1Prng {
    pub(super) fn new(seed: &[u8]) -> Sha1Prng {
        Sha1Prng { state: sha1(seed) }
    }

    /// Returns the next bytes: the hash of the state, which is then added to the state.
    pub(super) fn next_block(&mut self) -> [u8; SHA1_OUTPUT_LEN] {
        let output = sha1(&self.state);
        let before = self.state;
        // The sum is of signed bytes, from the first to the last, with a carry that starts at one.
        let mut carry = 1;
        for (byte, added) in self.state.iter_mut().zip(output) {
            let sum = i32::from(*byte as i8) + i32::from(added as i8) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        if self.state == before {
            self.state[0] = self.state[0].wrapping_add(1);
        }
        output
    }
}

fn sha1(bytes: &[u8]) -> [u8; SHA1_OUTPUT_LEN] {
    let mut hash = [0; SHA1_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    hash
}
