//! PEM files: a private key and its chain, or trusted certificates (RFC 7468).

use super::certificate_pool::CertificatePool;
use super::encryption::{Encryption, IterationBudget};
use super::error::KeyStoreError;
use super::passwords::StorePasswords;
use super::pem_sections::{PemSection, pem_sections};
use super::private_key::{KeyMatcher, begins_as_pkcs8, pkcs8_key};
use super::store::{KeyEntry, KeyStore};
use crate::der::{DerReader, OCTET_STRING, SEQUENCE};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivateSec1KeyDer};

/// The name of the only key of a PEM file.
const ALIAS: &str = "of the PEM file";

/// Reads a PEM file. Sections of other kinds are ignored.
pub(super) fn read_pem(
    text: &[u8],
    passwords: &StorePasswords<'_>,
    budget: &mut IterationBudget,
) -> Result<KeyStore, KeyStoreError> {
    if passwords.key.is_some() {
        return Err(KeyStoreError::KeyPasswordForPem);
    }
    let sections = pem_sections(text)?;
    let mut pool = CertificatePool::default();
    let mut key = None;
    for section in &sections {
        if ["CERTIFICATE", "X509 CERTIFICATE"].contains(&section.label) {
            pool.add(&section.der)?;
        } else if let Some(read) = private_key(section, passwords, budget)? {
            if key.is_some() {
                return Err(KeyStoreError::SeveralKeys);
            }
            key = Some(KeyMatcher::new(read));
        }
    }
    let mut store = KeyStore::default();
    match key {
        Some(key) => store.add_entry(entry(key, &pool)?)?,
        None => {
            for certificate in pool.all() {
                store.add_trusted(certificate)?;
            }
        }
    }
    Ok(store)
}

/// Returns the key with its chain. The certificate of a key that is not supported cannot be
/// recognized, so the first one is taken, and a later check names the key's algorithm.
fn entry(key: KeyMatcher, pool: &CertificatePool<'_>) -> Result<KeyEntry, KeyStoreError> {
    let found = pool.find(&key);
    let (first, key) = match found {
        Some(found) => found,
        None if key.can_match() || pool.is_empty() => {
            return Err(KeyStoreError::NoCertificateOfKey(String::new()));
        }
        None => (0, key.into_key()),
    };
    Ok(KeyEntry {
        alias: ALIAS.to_owned(),
        key,
        chain: pool.chain(first)?,
    })
}

/// Returns the private key of a section, if it has one.
fn private_key(
    section: &PemSection<'_>,
    passwords: &StorePasswords<'_>,
    budget: &mut IterationBudget,
) -> Result<Option<PrivateKeyDer<'static>>, KeyStoreError> {
    let der = section.der.clone();
    let kind = match section.label {
        "PRIVATE KEY" => {
            let key = pkcs8_key(der);
            return key
                .map(Some)
                .map_err(|_| KeyStoreError::Damaged("a private key cannot be read"));
        }
        "ENCRYPTED PRIVATE KEY" => return decrypted_key(&section.der, passwords, budget).map(Some),
        "RSA PRIVATE KEY" => "PKCS#1",
        "EC PRIVATE KEY" => "SEC1",
        "DSA PRIVATE KEY" => return Err(KeyStoreError::UnsupportedKey("DSA")),
        _ => return Ok(None),
    };
    if section.is_encrypted {
        return Err(KeyStoreError::EncryptedTraditionalKey(kind));
    }
    let mut outer = DerReader::new(&section.der);
    let read = outer.expect(SEQUENCE).and_then(|_| outer.end());
    read.map_err(|_| KeyStoreError::Damaged("a private key cannot be read"))?;
    Ok(Some(match kind {
        "SEC1" => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der)),
        _ => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der)),
    }))
}

/// Decrypts an `EncryptedPrivateKeyInfo` (RFC 5958). It has no integrity check, so damage to its
/// first or last block cannot be distinguished from a wrong password.
fn decrypted_key(
    der: &[u8],
    passwords: &StorePasswords<'_>,
    budget: &mut IterationBudget,
) -> Result<PrivateKeyDer<'static>, KeyStoreError> {
    let mut outer = DerReader::new(der);
    let mut info = outer.enter(SEQUENCE)?;
    outer.end()?;
    let encryption = Encryption::read(&mut info)?;
    let data = info.expect(OCTET_STRING)?;
    let password = passwords.store.ok_or(KeyStoreError::NoPassword)?;
    let plain = encryption.decrypt(data, password, budget)?;
    let plain = plain.ok_or(KeyStoreError::WrongPassword)?;
    let begins_right = begins_as_pkcs8(&plain);
    pkcs8_key(plain).map_err(|_| match begins_right {
        true => KeyStoreError::Damaged("a private key cannot be read"),
        false => KeyStoreError::WrongPassword,
    })
}
