//! The integrity check of a PKCS #12 store.

use super::identifiers::{PBMAC1, SHA1, SHA2};
use crate::der::{DerReader, OCTET_STRING, OID, SEQUENCE};
use crate::key_store::encryption::{
    DerivedUse, IterationBudget, checked_iterations, derive_pkcs12, pkcs12_passwords,
};
use crate::key_store::error::KeyStoreError;
use ring::{digest, hmac};
use std::num::NonZeroU32;

/// A message authentication code (MAC) over the content of a store.
pub(super) struct StoreMac<'a> {
    hash: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    tag: &'a [u8],
    salt: &'a [u8],
    iterations: NonZeroU32,
}

impl<'a> StoreMac<'a> {
    /// Reads a `MacData`, and checks the number of iterations.
    pub(super) fn read(mut data: DerReader<'a>) -> Result<StoreMac<'a>, KeyStoreError> {
        let mut info = data.enter(SEQUENCE)?;
        let oid = info.enter(SEQUENCE)?.expect(OID)?;
        let tag = info.expect(OCTET_STRING)?;
        let salt = data.expect(OCTET_STRING)?;
        let iterations = match data.is_empty() {
            true => 1,
            false => data.unsigned()?,
        };
        let iterations = checked_iterations(iterations)?;
        let (hash, hmac) = match oid.strip_prefix(SHA2) {
            _ if oid == SHA1 => (
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            ),
            Some([1]) => (&digest::SHA256, hmac::HMAC_SHA256),
            Some([2]) => (&digest::SHA384, hmac::HMAC_SHA384),
            Some([3]) => (&digest::SHA512, hmac::HMAC_SHA512),
            _ if oid == PBMAC1 => return Err(KeyStoreError::UnsupportedAlgorithm("PBMAC1")),
            _ => {
                return Err(KeyStoreError::UnsupportedAlgorithm(
                    "an integrity check without SHA-1, SHA-256, SHA-384 or SHA-512",
                ));
            }
        };
        Ok(StoreMac {
            hash,
            hmac,
            tag,
            salt,
            iterations,
        })
    }

    /// Returns whether the content has this MAC with the password.
    pub(super) fn verify(
        &self,
        content: &[u8],
        password: &str,
        budget: &mut IterationBudget,
    ) -> Result<bool, KeyStoreError> {
        for password in pkcs12_passwords(password) {
            budget.take(self.iterations)?;
            let key = derive_pkcs12(
                self.hash,
                DerivedUse::MacKey,
                &password,
                self.salt,
                self.iterations,
                self.hash.output_len(),
            );
            let key = hmac::Key::new(self.hmac, &key);
            if hmac::verify(&key, content, self.tag).is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
