//! The certificates of a file, from which the chain of a key is put together.

use super::error::KeyStoreError;
use super::limits::{CERTIFICATES_MAX, CHAIN_BYTES_MAX, CHAIN_MAX};
use super::private_key::KeyMatcher;
use crate::certificate::CertificateFields;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificates of a file, in its order.
#[derive(Default)]
pub(super) struct CertificatePool<'a> {
    certificates: Vec<(&'a [u8], CertificateFields<'a>)>,
}

impl<'a> CertificatePool<'a> {
    /// Adds a certificate, and returns its index.
    pub(super) fn add(&mut self, der: &'a [u8]) -> Result<usize, KeyStoreError> {
        if self.certificates.len() == CERTIFICATES_MAX {
            return Err(KeyStoreError::TooManyCertificates);
        }
        let fields = CertificateFields::read(der)
            .map_err(|_| KeyStoreError::Damaged("a certificate cannot be read"))?;
        self.certificates.push((der, fields));
        Ok(self.certificates.len() - 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Returns all certificates.
    pub(super) fn all(&self) -> impl Iterator<Item = CertificateDer<'static>> {
        self.certificates.iter().map(|(der, _)| owned(der))
    }

    /// Returns the private key if it belongs to the certificate.
    pub(super) fn pair(&self, index: usize, key: &KeyMatcher) -> Option<PrivateKeyDer<'static>> {
        key.pair(&self.certificates[index].1.public_key)
    }

    /// Returns the first certificate to which the private key belongs, and that key.
    pub(super) fn find(&self, key: &KeyMatcher) -> Option<(usize, PrivateKeyDer<'static>)> {
        let mut pairs =
            (0..self.certificates.len()).filter_map(|index| Some((index, self.pair(index, key)?)));
        pairs.next()
    }

    /// Returns a certificate, followed by its issuer, the issuer of that one and so on. No
    /// certificate is in the chain twice, so that two that have issued each other end it.
    pub(super) fn chain(
        &self,
        index: usize,
    ) -> Result<Vec<CertificateDer<'static>>, KeyStoreError> {
        let mut indexes = vec![index];
        let mut last = &self.certificates[index].1;
        while !last.is_self_issued() {
            let issuer = (0..self.certificates.len()).find(|index| {
                self.certificates[*index].1.subject == last.issuer && !indexes.contains(index)
            });
            let Some(issuer) = issuer else { break };
            indexes.push(issuer);
            last = &self.certificates[issuer].1;
            if indexes.len() > CHAIN_MAX {
                return Err(KeyStoreError::ChainTooLong);
            }
        }
        let chain = indexes.iter().map(|index| self.certificates[*index].0);
        checked_chain(chain)
    }
}

/// Copies a chain, unless it is too long.
pub(super) fn checked_chain<'a>(
    chain: impl Iterator<Item = &'a [u8]> + Clone,
) -> Result<Vec<CertificateDer<'static>>, KeyStoreError> {
    let bytes: usize = chain.clone().map(<[u8]>::len).sum();
    match chain.clone().count() <= CHAIN_MAX && bytes <= CHAIN_BYTES_MAX {
        true => Ok(chain.map(owned).collect()),
        false => Err(KeyStoreError::ChainTooLong),
    }
}

fn owned(der: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from(der.to_vec())
}
