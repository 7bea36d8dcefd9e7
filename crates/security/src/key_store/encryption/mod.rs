//! The encryption of private keys and of parts of PKCS #12 stores by a password (RFC 8018, RFC
//! 7292).
//!
//! The file chooses how many iterations it takes to derive a key from the password. Each number is
//! checked before anything is derived. scrypt is not supported, because the file would choose the
//! memory that it takes.

mod block_cipher;
mod budget;
mod identifiers;
mod pkcs12_derivation;

use super::error::KeyStoreError;
use crate::der::{DerReader, OCTET_STRING, OID, SEQUENCE};
use block_cipher::BlockCipher;
use identifiers::{
    AES128_CBC, AES192_CBC, AES256_CBC, DES_EDE3_CBC, HMAC, PBES2, PBKDF2, PKCS12, SCRYPT,
};
use ring::{digest, pbkdf2};
use std::num::NonZeroU32;

pub(super) use budget::{IterationBudget, checked_iterations};
pub(super) use pkcs12_derivation::{DerivedUse, derive_pkcs12, pkcs12_passwords};

/// A way to encrypt by a password, with all parameters but the password.
pub(super) struct Encryption<'a> {
    cipher: BlockCipher,
    derivation: KeyDerivation<'a>,
    salt: &'a [u8],
    iterations: NonZeroU32,
}

enum KeyDerivation<'a> {
    Pbkdf2 {
        algorithm: pbkdf2::Algorithm,
        iv: &'a [u8],
    },
    /// The derivation of PKCS #12 with SHA-1. The initial vector is derived too.
    Pkcs12,
}

impl<'a> Encryption<'a> {
    /// Reads an `AlgorithmIdentifier`, and checks the number of iterations.
    pub(super) fn read(reader: &mut DerReader<'a>) -> Result<Encryption<'a>, KeyStoreError> {
        let mut identifier = reader.enter(SEQUENCE)?;
        let oid = identifier.expect(OID)?;
        let parameters = identifier.enter(SEQUENCE)?;
        match oid.strip_prefix(PKCS12) {
            _ if oid == PBES2 => read_pbes2(parameters),
            Some([3]) => read_pkcs12(parameters, BlockCipher::TripleDes),
            Some([4]) => read_pkcs12(parameters, BlockCipher::TwoKeyTripleDes),
            Some([5]) => read_pkcs12(parameters, BlockCipher::Rc2Bits128),
            Some([6]) => read_pkcs12(parameters, BlockCipher::Rc2Bits40),
            Some([1 | 2]) => Err(KeyStoreError::UnsupportedAlgorithm("RC4")),
            _ => Err(KeyStoreError::UnsupportedAlgorithm(
                "an encryption other than PBES2 and those of PKCS #12",
            )),
        }
    }

    /// Decrypts data with a password. Returns `None` if the password or the data is wrong; in one
    /// of 256 such cases, it returns random bytes.
    pub(super) fn decrypt(
        &self,
        data: &[u8],
        password: &str,
        budget: &mut IterationBudget,
    ) -> Result<Option<Vec<u8>>, KeyStoreError> {
        match &self.derivation {
            KeyDerivation::Pbkdf2 { algorithm, iv } => {
                budget.take(self.iterations)?;
                let mut key = vec![0; self.cipher.key_bytes()];
                let (salt, password) = (self.salt, password.as_bytes());
                pbkdf2::derive(*algorithm, self.iterations, salt, password, &mut key);
                Ok(self.cipher.decrypt(&key, iv, data))
            }
            KeyDerivation::Pkcs12 => {
                for password in pkcs12_passwords(password) {
                    let plain = self.decrypt_pkcs12(data, &password, budget)?;
                    if plain.is_some() {
                        return Ok(plain);
                    }
                }
                Ok(None)
            }
        }
    }

    fn decrypt_pkcs12(
        &self,
        data: &[u8],
        password: &[u8],
        budget: &mut IterationBudget,
    ) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let mut derive = |derived_use, length: usize| {
            // A hash has 20 bytes. A longer key takes the iterations again.
            for _ in 0..length.div_ceil(digest::SHA1_OUTPUT_LEN) {
                budget.take(self.iterations)?;
            }
            Ok::<_, KeyStoreError>(derive_pkcs12(
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
                derived_use,
                password,
                self.salt,
                self.iterations,
                length,
            ))
        };
        let key = derive(DerivedUse::EncryptionKey, self.cipher.key_bytes())?;
        let iv = derive(DerivedUse::InitialVector, self.cipher.block_bytes())?;
        Ok(self.cipher.decrypt(&key, &iv, data))
    }
}

/// Reads the parameters of PBES2: how the key is derived, and the cipher.
fn read_pbes2(mut parameters: DerReader<'_>) -> Result<Encryption<'_>, KeyStoreError> {
    let mut derivation = parameters.enter(SEQUENCE)?;
    match derivation.expect(OID)? {
        PBKDF2 => {}
        SCRYPT => return Err(KeyStoreError::UnsupportedAlgorithm("scrypt")),
        _ => {
            return Err(KeyStoreError::UnsupportedAlgorithm(
                "a derivation of keys other than PBKDF2",
            ));
        }
    }
    let mut pbkdf2 = derivation.enter(SEQUENCE)?;
    let salt = pbkdf2.expect(OCTET_STRING)?;
    let iterations = checked_iterations(pbkdf2.unsigned()?)?;
    // The length of the key is that of the cipher, whether it is stated or not.
    let algorithm = loop {
        if pbkdf2.is_empty() {
            break pbkdf2::PBKDF2_HMAC_SHA1;
        }
        let element = pbkdf2.element()?;
        if element.tag == SEQUENCE {
            break pbkdf2_algorithm(DerReader::new(element.content).expect(OID)?)?;
        }
    };

    let mut scheme = parameters.enter(SEQUENCE)?;
    let cipher = match scheme.expect(OID)? {
        AES128_CBC => BlockCipher::Aes128,
        AES192_CBC => BlockCipher::Aes192,
        AES256_CBC => BlockCipher::Aes256,
        DES_EDE3_CBC => BlockCipher::TripleDes,
        _ => {
            return Err(KeyStoreError::UnsupportedAlgorithm(
                "a cipher other than AES and triple DES in CBC mode",
            ));
        }
    };
    let iv = scheme.expect(OCTET_STRING)?;
    Ok(Encryption {
        cipher,
        derivation: KeyDerivation::Pbkdf2 { algorithm, iv },
        salt,
        iterations,
    })
}

fn pbkdf2_algorithm(oid: &[u8]) -> Result<pbkdf2::Algorithm, KeyStoreError> {
    match oid.strip_prefix(HMAC) {
        Some([7]) => Ok(pbkdf2::PBKDF2_HMAC_SHA1),
        Some([9]) => Ok(pbkdf2::PBKDF2_HMAC_SHA256),
        Some([10]) => Ok(pbkdf2::PBKDF2_HMAC_SHA384),
        Some([11]) => Ok(pbkdf2::PBKDF2_HMAC_SHA512),
        _ => Err(KeyStoreError::UnsupportedAlgorithm(
            "PBKDF2 without SHA-1, SHA-256, SHA-384 or SHA-512",
        )),
    }
}

/// Reads the parameters of an encryption scheme of PKCS #12.
fn read_pkcs12(
    mut parameters: DerReader<'_>,
    cipher: BlockCipher,
) -> Result<Encryption<'_>, KeyStoreError> {
    let salt = parameters.expect(OCTET_STRING)?;
    let iterations = checked_iterations(parameters.unsigned()?)?;
    Ok(Encryption {
        cipher,
        derivation: KeyDerivation::Pkcs12,
        salt,
        iterations,
    })
}
