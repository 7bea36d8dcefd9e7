//! The encoding of private keys on elliptic curves.

use crate::der::{BIT_STRING, INTEGER, OCTET_STRING, OID, SEQUENCE, context, encoded};
use rustls::pki_types::PrivatePkcs8KeyDer;

/// The object identifier of keys on elliptic curves (1.2.840.10045.2.1).
pub(crate) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// The object identifier of the curve P-256 (1.2.840.10045.3.1.7).
pub(crate) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Returns a key in PKCS #8 with its public key in it, which ring demands (RFC 5915, RFC 5958).
/// Returns `None` if the public key is not a point in the usual encoding, or if the secret number
/// is longer than its coordinates.
pub(crate) fn ec_private_key(
    scalar: &[u8],
    curve: &[u8],
    point: &[u8],
) -> Option<PrivatePkcs8KeyDer<'static>> {
    // A point that is not compressed consists of the byte 4 and two coordinates.
    let [4, coordinates @ ..] = point else {
        return None;
    };
    // The number has the length of a coordinate, with zeros in front.
    let zeros = scalar.iter().take_while(|byte| **byte == 0).count();
    let digits = &scalar[zeros..];
    let mut padded = vec![0; (coordinates.len() / 2).checked_sub(digits.len())?];
    padded.extend(digits);

    let bits = [&[0], point].concat();
    let key = [
        encoded(INTEGER, &[1]),
        encoded(OCTET_STRING, &padded),
        encoded(context(1), &encoded(BIT_STRING, &bits)),
    ];
    let algorithm = [encoded(OID, EC_PUBLIC_KEY), encoded(OID, curve)];
    let info = [
        encoded(INTEGER, &[0]),
        encoded(SEQUENCE, &algorithm.concat()),
        encoded(OCTET_STRING, &encoded(SEQUENCE, &key.concat())),
    ];
    let der = encoded(SEQUENCE, &info.concat());
    Some(PrivatePkcs8KeyDer::from(der))
}
