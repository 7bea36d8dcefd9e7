//! The check of a key before it is served.

use super::error::HttpsError;
use crate::certificate::{CertificateFields, PublicKeyFields};
use crate::der::{DerError, DerReader, INTEGER, SEQUENCE};
use crate::ec_private_key::{EC_PUBLIC_KEY, P256};
use crate::key_store::KeyEntry;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SigningKey};

/// Minimum and maximum number of bits of an RSA key. Shorter keys can be broken, and ring does not
/// sign with longer ones, which would take long.
const RSA_BITS_MIN: usize = 2_048;
const RSA_BITS_MAX: usize = 4_096;

/// The object identifiers of algorithms (1.2.840.113549.1.1.1, 1.2.840.113549.1.1.10,
/// 1.2.840.10040.4.1, 1.3.101.112, 1.3.101.113).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const ED448: &[u8] = &[0x2b, 0x65, 0x71];

/// The object identifiers of curves (1.3.132.0.34, 1.3.132.0.35).
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];

/// Returns the key of an entry in the form that rustls serves.
pub(crate) fn served_key(entry: &KeyEntry) -> Result<CertifiedKey, HttpsError> {
    let alias = || entry.alias().to_owned();
    let first = entry.chain().first();
    let first = first.ok_or_else(|| HttpsError::UnusableKey(alias()))?;
    let public = CertificateFields::read(first)
        .map_err(|error| HttpsError::Certificate(error.into()))?
        .public_key;
    let bits = rsa_bits(&public)?;
    if let Some(bits) = bits.filter(|bits| *bits < RSA_BITS_MIN) {
        return Err(HttpsError::WeakKey {
            alias: alias(),
            bits,
        });
    }
    if let Some(kind) = unsupported_kind(&public, bits) {
        return Err(HttpsError::UnsupportedKeyKind {
            alias: alias(),
            kind,
        });
    }
    let key = any_supported_type(entry.key()).map_err(|_| HttpsError::UnusableKey(alias()))?;
    match is_pair(&*key, &public) {
        true => Ok(CertifiedKey::new(entry.chain().to_vec(), key)),
        false => Err(HttpsError::UnusableKey(alias())),
    }
}

/// Returns the number of bits of an RSA key, or `None` for other keys.
fn rsa_bits(public: &PublicKeyFields<'_>) -> Result<Option<usize>, HttpsError> {
    if public.algorithm != RSA {
        return Ok(None);
    }
    let modulus = DerReader::new(public.key)
        .enter(SEQUENCE)
        .and_then(|mut key| key.expect(INTEGER));
    let modulus = modulus.map_err(|error: DerError| HttpsError::Certificate(error.into()))?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let digits = &modulus[zeros..];
    let unused = digits.first().map_or(0, |first| first.leading_zeros());
    Ok(Some(digits.len() * 8 - unused as usize))
}

/// Returns the kind of a key, if rustls with ring cannot sign with it.
fn unsupported_kind(public: &PublicKeyFields<'_>, rsa_bits: Option<usize>) -> Option<String> {
    let kind = match (public.algorithm, public.parameters) {
        (RSA, _) => {
            let bits = rsa_bits.filter(|bits| *bits > RSA_BITS_MAX)?;
            return Some(format!("RSA with {bits} bits"));
        }
        (EC_PUBLIC_KEY, P256 | P384) | (ED25519, _) => return None,
        (EC_PUBLIC_KEY, P521) => "EC P-521",
        (EC_PUBLIC_KEY, _) => "EC on another curve",
        (RSA_PSS, _) => "RSASSA-PSS",
        (DSA, _) => "DSA",
        (ED448, _) => "Ed448",
        _ => "of an unknown algorithm",
    };
    Some(kind.to_owned())
}

/// Returns whether a private and a public key belong together.
fn is_pair(key: &dyn SigningKey, public: &PublicKeyFields<'_>) -> bool {
    key.public_key().is_some_and(|info| {
        let fields = PublicKeyFields::read(&mut DerReader::new(&info));
        fields.is_ok_and(|fields| fields.key == public.key)
    })
}
