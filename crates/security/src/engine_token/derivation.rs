//! The derivations of a key from a secret.

use ring::{digest, hkdf, hmac};

/// Derives the two keys that engines use with this secret. The first is that of Presto and of Trino
/// up to 479, the second is that of Trino from 480 on.
pub(super) fn keys_of(secret: &[u8]) -> [hmac::Key; 2] {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]);
    let prk = salt.extract(secret);
    let sha256 = digest::digest(&digest::SHA256, secret);
    let derived = prk.expand(&[b"internal-communication"], hmac::HMAC_SHA256);
    [
        hmac::Key::new(hmac::HMAC_SHA256, sha256.as_ref()),
        derived.map_or_else(
            // Not reached: the derivation fails only for keys of more than 8 kB.
            |_| hmac::Key::new(hmac::HMAC_SHA256, sha256.as_ref()),
            hmac::Key::from,
        ),
    ]
}
