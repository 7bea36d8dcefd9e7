//! JKS, the store of Java before version 9.
//!
//! The format has no specification. This description is of the class `JavaKeyStore` of the JDK:
//! a magic number, a version, and entries, each of which is a private key with its chain or a
//! trusted certificate. At the end there is a hash over the password and everything before it.

mod byte_reader;
mod key_protection;

use super::alias::shown_alias;
use super::certificate_pool::checked_chain;
use super::error::KeyStoreError;
use super::limits::{CERTIFICATES_MAX, CHAIN_MAX, KEYS_MAX};
use super::passwords::StorePasswords;
use super::private_key::{KeyMatcher, begins_as_pkcs8, pkcs8_key};
use super::store::{KeyEntry, KeyStore};
use crate::certificate::CertificateFields;
use byte_reader::ByteReader;
use key_protection::{ProtectedKey, sha1};
use ring::digest::SHA1_OUTPUT_LEN;
use rustls::pki_types::CertificateDer;

/// The first bytes of a JKS store.
pub(super) const JKS_MAGIC: &[u8] = &[0xfe, 0xed, 0xfe, 0xed];
/// The first bytes of a JCEKS store.
pub(super) const JCEKS_MAGIC: &[u8] = &[0xce, 0xce, 0xce, 0xce];

/// The words that the JDK puts between the password and the content before it hashes both.
const WHITENER: &[u8] = b"Mighty Aphrodite";

const CUT_OFF: KeyStoreError = KeyStoreError::Damaged("it ends within an entry");
const UNREADABLE_KEY: KeyStoreError = KeyStoreError::Damaged("a private key cannot be read");

/// A private key that is not decrypted yet.
struct JksKey<'a> {
    alias: String,
    key: ProtectedKey<'a>,
    chain: Vec<&'a [u8]>,
}

/// The entries of a store.
#[derive(Default)]
struct JksEntries<'a> {
    keys: Vec<JksKey<'a>>,
    trusted: Vec<&'a [u8]>,
    certificates: usize,
}

/// Reads a JKS store, which begins with [`JKS_MAGIC`].
pub(super) fn read_jks(
    bytes: &[u8],
    passwords: &StorePasswords<'_>,
) -> Result<KeyStore, KeyStoreError> {
    let length = bytes.len().checked_sub(SHA1_OUTPUT_LEN).ok_or(CUT_OFF)?;
    let (content, hash) = bytes.split_at(length);
    let body = content.get(JKS_MAGIC.len()..).ok_or(CUT_OFF)?;
    let entries = JksEntries::read(&mut ByteReader::new(body))?;
    if let Some(password) = passwords.store {
        let password = utf16(password);
        if sha1(&[&password, WHITENER, content]).as_ref() != hash {
            return Err(entries.damaged_or_wrong_password(&password, passwords.key.is_none()));
        }
    }
    entries.decrypt(passwords)
}

impl<'a> JksEntries<'a> {
    fn read(reader: &mut ByteReader<'a>) -> Result<JksEntries<'a>, KeyStoreError> {
        let version = reader.u32().ok_or(CUT_OFF)?;
        if !(1..=2).contains(&version) {
            return Err(KeyStoreError::Damaged("its version is unknown"));
        }
        let count = reader.u32().ok_or(CUT_OFF)?;
        let mut entries = JksEntries::default();
        for _ in 0..count {
            entries.read_entry(reader, version)?;
        }
        match reader.is_empty() {
            true => Ok(entries),
            false => Err(KeyStoreError::Damaged("bytes follow the last entry")),
        }
    }

    fn read_entry(
        &mut self,
        reader: &mut ByteReader<'a>,
        version: u32,
    ) -> Result<(), KeyStoreError> {
        const KEY: u32 = 1;
        const TRUSTED: u32 = 2;
        let tag = reader.u32().ok_or(CUT_OFF)?;
        let alias = shown_alias(&reader.string().ok_or(CUT_OFF)?);
        // The date of the entry.
        reader.take(size_of::<u64>()).ok_or(CUT_OFF)?;
        match tag {
            KEY => {
                if self.keys.len() == KEYS_MAX {
                    return Err(KeyStoreError::TooManyKeys);
                }
                let key = reader.bytes().ok_or(CUT_OFF)?;
                let key = ProtectedKey::read(key).map_err(|_| UNREADABLE_KEY)?;
                let length = reader.u32().ok_or(CUT_OFF)?;
                if usize::try_from(length).is_ok_and(|length| length > CHAIN_MAX) {
                    return Err(KeyStoreError::ChainTooLong);
                }
                let chain = (0..length).map(|_| self.certificate(reader, version));
                let chain = chain.collect::<Result<_, _>>()?;
                self.keys.push(JksKey { alias, key, chain });
            }
            TRUSTED => {
                let certificate = self.certificate(reader, version)?;
                self.trusted.push(certificate);
            }
            _ => return Err(KeyStoreError::Damaged("an entry is of an unknown kind")),
        }
        Ok(())
    }

    fn certificate(
        &mut self,
        reader: &mut ByteReader<'a>,
        version: u32,
    ) -> Result<&'a [u8], KeyStoreError> {
        self.certificates += 1;
        if self.certificates > CERTIFICATES_MAX {
            return Err(KeyStoreError::TooManyCertificates);
        }
        // Version 1 knows only certificates of X.509.
        if version > 1 && reader.string().ok_or(CUT_OFF)? != "X.509" {
            return Err(KeyStoreError::Damaged("a certificate is not of X.509"));
        }
        let der = reader.bytes().ok_or(CUT_OFF)?;
        match CertificateFields::read(der) {
            Ok(_) => Ok(der),
            Err(_) => Err(KeyStoreError::Damaged("a certificate cannot be read")),
        }
    }

    /// Returns the error for a store whose hash does not match. If the password of the store
    /// decrypts the beginning of a key, the password is right, and the store has been changed.
    /// Without a key that has this password, nothing tells the two errors from each other.
    fn damaged_or_wrong_password(&self, password: &[u8], is_of_keys: bool) -> KeyStoreError {
        let mut keys = self.keys.iter();
        let is_right = |key: &JksKey<'_>| begins_as_pkcs8(&key.key.unchecked(password));
        match is_of_keys && keys.any(is_right) {
            true => KeyStoreError::Damaged("its checksum does not match"),
            false => KeyStoreError::WrongPassword,
        }
    }

    /// Decrypts the keys.
    fn decrypt(self, passwords: &StorePasswords<'_>) -> Result<KeyStore, KeyStoreError> {
        let mut store = KeyStore::default();
        for JksKey { alias, key, chain } in self.keys {
            let password = passwords.of_keys().ok_or(KeyStoreError::NoPassword)?;
            let Some(plain) = key.decrypt(&utf16(password)) else {
                return Err(KeyStoreError::WrongKeyPassword { alias });
            };
            let key = KeyMatcher::new(pkcs8_key(plain).map_err(|_| UNREADABLE_KEY)?);
            let Some(first) = chain.first() else {
                return Err(KeyStoreError::NoCertificateOfKey(format!(" {alias}")));
            };
            let fields = CertificateFields::read(first)?;
            let paired = key.pair(&fields.public_key);
            store.add_entry(KeyEntry {
                alias,
                key: paired.unwrap_or_else(|| key.into_key()),
                chain: checked_chain(chain.iter().copied())?,
            })?;
        }
        for certificate in self.trusted {
            store.add_trusted(CertificateDer::from(certificate.to_vec()))?;
        }
        Ok(store)
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}
