//! Private keys: their structure, and whether they belong to a certificate.

use crate::certificate::PublicKeyFields;
use crate::der::{DerError, DerReader, INTEGER, OCTET_STRING, OID, SEQUENCE, context};
use crate::ec_private_key::{EC_PUBLIC_KEY, ec_private_key};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Checks that bytes have the structure of PKCS #8, and returns the key.
pub(super) fn pkcs8_key(der: Vec<u8>) -> Result<PrivateKeyDer<'static>, DerError> {
    let mut outer = DerReader::new(&der);
    let mut info = outer.enter(SEQUENCE)?;
    outer.end()?;
    info.unsigned()?;
    info.expect(SEQUENCE)?;
    info.expect(OCTET_STRING)?;
    Ok(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)))
}

/// Returns whether decrypted bytes begin like PKCS #8, which the bytes that a wrong password yields
/// do only by a chance of one in millions.
pub(super) fn begins_as_pkcs8(plain: &[u8]) -> bool {
    let length = match plain {
        [0x30, 0x81, ..] => 3,
        [0x30, 0x82, ..] => 4,
        [0x30, ..] => 2,
        _ => return false,
    };
    // The version, of which there are two (RFC 5958).
    matches!(plain.get(length..), Some([INTEGER, 1, 0 | 1, ..]))
}

/// A private key whose certificate is looked for.
pub(super) struct KeyMatcher {
    key: PrivateKeyDer<'static>,
    /// The public key, if rustls supports the private one.
    public: Option<Vec<u8>>,
    /// The secret number of a key on an elliptic curve that is stored without its public key, as
    /// Java does. ring refuses such a key, but checks the two against each other when both are
    /// given.
    scalar: Option<Vec<u8>>,
}

impl KeyMatcher {
    pub(super) fn new(key: PrivateKeyDer<'static>) -> KeyMatcher {
        let public = public_key(&key);
        let scalar = match public {
            Some(_) => None,
            None => lone_scalar(&key).ok().flatten(),
        };
        KeyMatcher {
            key,
            public,
            scalar,
        }
    }

    /// Returns whether the key's certificate can be recognized.
    pub(super) fn can_match(&self) -> bool {
        self.public.is_some() || self.scalar.is_some()
    }

    /// Returns the private key if a public key is the one that belongs to it.
    pub(super) fn pair(&self, other: &PublicKeyFields<'_>) -> Option<PrivateKeyDer<'static>> {
        match (&self.public, &self.scalar) {
            (Some(public), _) if public == other.key => Some(self.key.clone_key()),
            (None, Some(scalar)) => {
                let key = joined(scalar, other)?;
                public_key(&key).is_some().then_some(key)
            }
            _ => None,
        }
    }

    /// Returns the private key as it is stored.
    pub(super) fn into_key(self) -> PrivateKeyDer<'static> {
        self.key
    }
}

/// Returns the public key of a private key that rustls supports.
fn public_key(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    let signing = any_supported_type(key).ok()?;
    let info = signing.public_key()?;
    let fields = PublicKeyFields::read(&mut DerReader::new(&info)).ok()?;
    Some(fields.key.to_vec())
}

/// Returns the secret number of a key on an elliptic curve that is stored without its public key
/// (RFC 5915).
fn lone_scalar(key: &PrivateKeyDer<'_>) -> Result<Option<Vec<u8>>, DerError> {
    let key = match key {
        PrivateKeyDer::Sec1(sec1) => sec1.secret_sec1_der(),
        PrivateKeyDer::Pkcs8(pkcs8) => {
            let mut info = DerReader::new(pkcs8.secret_pkcs8_der()).enter(SEQUENCE)?;
            info.unsigned()?;
            if info.enter(SEQUENCE)?.expect(OID)? != EC_PUBLIC_KEY {
                return Ok(None);
            }
            info.expect(OCTET_STRING)?
        }
        _ => return Ok(None),
    };
    let mut key = DerReader::new(key).enter(SEQUENCE)?;
    key.unsigned()?;
    let scalar = key.expect(OCTET_STRING)?;
    key.optional(context(0))?;
    let public = key.optional(context(1))?;
    Ok(public.is_none().then(|| scalar.to_vec()))
}

/// Returns a PKCS #8 key of a secret number and a public key on an elliptic curve.
fn joined(scalar: &[u8], public: &PublicKeyFields<'_>) -> Option<PrivateKeyDer<'static>> {
    match public.algorithm == EC_PUBLIC_KEY {
        true => ec_private_key(scalar, public.parameters, public.key).map(PrivateKeyDer::Pkcs8),
        false => None,
    }
}
