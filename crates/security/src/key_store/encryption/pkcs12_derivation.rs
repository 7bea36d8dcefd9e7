//! The derivation of keys of PKCS #12 (RFC 7292, appendix B).

use ring::digest::{Algorithm, Context, digest};
use std::num::NonZeroU32;

/// The use of a derived key.
#[derive(Clone, Copy)]
pub(crate) enum DerivedUse {
    EncryptionKey = 1,
    InitialVector = 2,
    MacKey = 3,
}

/// Returns a password in the encoding of PKCS #12: UTF-16 in big endian, with a zero at the end.
pub(crate) fn pkcs12_password(password: &str) -> Vec<u8> {
    let units = password.encode_utf16().chain([0]);
    units.flat_map(u16::to_be_bytes).collect()
}

/// Returns the encodings of a password, of which a store uses one. Programs disagree on an empty
/// password: with the zero at the end, or without it.
pub(crate) fn pkcs12_passwords(password: &str) -> Vec<Vec<u8>> {
    match password.is_empty() {
        true => vec![pkcs12_password(password), Vec::new()],
        false => vec![pkcs12_password(password)],
    }
}

/// Derives `length` bytes from a password in the encoding of PKCS #12.
pub(crate) fn derive_pkcs12(
    algorithm: &'static Algorithm,
    derived_use: DerivedUse,
    password: &[u8],
    salt: &[u8],
    iterations: NonZeroU32,
    length: usize,
) -> Vec<u8> {
    let block = algorithm.block_len();
    let diversifier = vec![derived_use as u8; block];
    let mut state = filled(salt, block);
    state.extend(filled(password, block));
    let mut derived = Vec::new();
    while derived.len() < length {
        let mut first = Context::new(algorithm);
        first.update(&diversifier);
        first.update(&state);
        let mut hash = first.finish();
        for _ in 1..iterations.get() {
            hash = digest(algorithm, hash.as_ref());
        }
        derived.extend(hash.as_ref());
        let addend: Vec<u8> = hash.as_ref().iter().copied().cycle().take(block).collect();
        for part in state.chunks_exact_mut(block) {
            add_with_one(part, &addend);
        }
    }
    derived.truncate(length);
    derived
}

/// Repeats the bytes up to a multiple of the block's length.
fn filled(bytes: &[u8], block: usize) -> Vec<u8> {
    let length = bytes.len().next_multiple_of(block);
    bytes.iter().copied().cycle().take(length).collect()
}

/// Adds a number and one to another number of the same length, both in big endian.
fn add_with_one(number: &mut [u8], addend: &[u8]) {
    let mut carry = 1;
    for (digit, other) in number.iter_mut().zip(addend).rev() {
        let sum = u16::from(*digit) + u16::from(*other) + carry;
        *digit = sum as u8;
        carry = sum >> 8;
    }
}
