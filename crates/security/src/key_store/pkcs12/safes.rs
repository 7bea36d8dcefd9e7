//! The parts of a PKCS #12 store, each of which may be encrypted.

use super::identifiers::{DATA, ENCRYPTED_DATA};
use super::mac::StoreMac;
use crate::der::{DerReader, INTEGER, OCTET_STRING, OID, SEQUENCE, context, context_primitive};
use crate::key_store::encryption::{Encryption, IterationBudget};
use crate::key_store::error::KeyStoreError;

/// The outer structure of a store (`PFX`).
pub(super) struct Pkcs12File<'a> {
    /// The encoded parts, over which the MAC is computed.
    pub(super) content: &'a [u8],
    pub(super) mac: Option<StoreMac<'a>>,
}

/// A part of a store.
pub(super) enum SafePart<'a> {
    Plain(&'a [u8]),
    Encrypted(Encryption<'a>, &'a [u8]),
}

impl<'a> Pkcs12File<'a> {
    /// Reads the outer structure, and checks the iterations of the MAC.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Pkcs12File<'a>, KeyStoreError> {
        let mut outer = DerReader::new(bytes);
        let mut file = outer.enter(SEQUENCE)?;
        outer.end()?;
        if file.unsigned()? != 3 {
            return Err(KeyStoreError::Damaged("its version is unknown"));
        }
        let mut safe = file.enter(SEQUENCE)?;
        if safe.expect(OID)? != DATA {
            return Err(KeyStoreError::UnsupportedAlgorithm("a digital signature"));
        }
        let content = safe.enter(context(0))?.expect(OCTET_STRING)?;
        let mac = match file.is_empty() {
            true => None,
            false => Some(StoreMac::read(file.enter(SEQUENCE)?)?),
        };
        Ok(Pkcs12File { content, mac })
    }

    /// Reads the parts, and checks the iterations of their encryption.
    pub(super) fn parts(&self) -> Result<Vec<SafePart<'a>>, KeyStoreError> {
        let mut list = DerReader::new(self.content).enter(SEQUENCE)?;
        let mut parts = Vec::new();
        while !list.is_empty() {
            let mut part = list.enter(SEQUENCE)?;
            let oid = part.expect(OID)?;
            let mut content = part.enter(context(0))?;
            parts.push(match oid {
                DATA => SafePart::Plain(content.expect(OCTET_STRING)?),
                ENCRYPTED_DATA => SafePart::read_encrypted(content)?,
                _ => {
                    return Err(KeyStoreError::UnsupportedAlgorithm(
                        "encryption for a public key",
                    ));
                }
            });
        }
        Ok(parts)
    }
}

impl<'a> SafePart<'a> {
    /// Reads an `EncryptedData`.
    fn read_encrypted(mut content: DerReader<'a>) -> Result<SafePart<'a>, KeyStoreError> {
        let mut data = content.enter(SEQUENCE)?;
        data.expect(INTEGER)?;
        let mut info = data.enter(SEQUENCE)?;
        info.expect(OID)?;
        let encryption = Encryption::read(&mut info)?;
        let encrypted = info.expect(context_primitive(0))?;
        Ok(SafePart::Encrypted(encryption, encrypted))
    }
}

/// Decrypts a part. Returns `None` if the result is not a list of bags, as with a wrong password.
pub(super) fn decrypt_part(
    encryption: &Encryption<'_>,
    data: &[u8],
    password: &str,
    budget: &mut IterationBudget,
) -> Result<Option<Vec<u8>>, KeyStoreError> {
    let plain = encryption.decrypt(data, password, budget)?;
    Ok(plain.filter(|plain| {
        let mut outer = DerReader::new(plain);
        outer.expect(SEQUENCE).and_then(|_| outer.end()).is_ok()
    }))
}
