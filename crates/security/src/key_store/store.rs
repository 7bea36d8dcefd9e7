//! The content of a store.

use super::error::KeyStoreError;
use super::limits::{CERTIFICATES_MAX, KEYS_MAX};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;

/// A private key with its certificates. The `Debug` output does not show the key.
pub struct KeyEntry {
    pub(super) alias: String,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) chain: Vec<CertificateDer<'static>>,
}

/// The private keys and trusted certificates of a store.
#[derive(Default)]
pub struct KeyStore {
    entries: Vec<KeyEntry>,
    trusted: Vec<CertificateDer<'static>>,
}

impl KeyEntry {
    /// Returns the name of the entry. A PEM file has no names, so its entry has a description.
    pub fn alias(&self) -> &str {
        &self.alias
    }

    /// Returns the private key.
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// Returns the certificate of the key, followed by those of its issuers as far as the store has
    /// them. There is at least one.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }
}

impl KeyStore {
    /// Returns the private keys, in the order of the store.
    pub fn entries(&self) -> &[KeyEntry] {
        &self.entries
    }

    /// Returns the certificates that the store declares as trusted.
    pub fn trusted(&self) -> &[CertificateDer<'static>] {
        &self.trusted
    }

    /// Returns the certificates by which others are verified: the trusted ones, and like in Java
    /// the first certificate of each private key.
    pub fn anchors(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        let of_keys = self.entries.iter().filter_map(|entry| entry.chain.first());
        self.trusted.iter().chain(of_keys)
    }

    /// Returns a store of one private key with its certificate.
    pub(crate) fn of_one(
        alias: String,
        key: PrivateKeyDer<'static>,
        certificate: CertificateDer<'static>,
    ) -> KeyStore {
        let chain = vec![certificate];
        KeyStore {
            entries: vec![KeyEntry { alias, key, chain }],
            trusted: Vec::new(),
        }
    }

    pub(super) fn add_entry(&mut self, entry: KeyEntry) -> Result<(), KeyStoreError> {
        match self.entries.len() < KEYS_MAX {
            true => self.entries.push(entry),
            false => return Err(KeyStoreError::TooManyKeys),
        }
        Ok(())
    }

    pub(super) fn add_trusted(
        &mut self,
        certificate: CertificateDer<'static>,
    ) -> Result<(), KeyStoreError> {
        match self.trusted.len() < CERTIFICATES_MAX {
            true => self.trusted.push(certificate),
            false => return Err(KeyStoreError::TooManyCertificates),
        }
        Ok(())
    }
}

impl fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "KeyEntry({}, {} certificates)",
            self.alias,
            self.chain.len()
        )
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keys, trusted) = (self.entries.len(), self.trusted.len());
        write!(
            f,
            "KeyStore({keys} private keys, {trusted} trusted certificates)"
        )
    }
}
