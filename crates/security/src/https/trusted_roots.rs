//! The certificates of a trust store, in the form in which rustls uses them.

use super::error::HttpsError;
use crate::certificate::is_authority;
use crate::key_store::KeyStore;
use rustls::pki_types::CertificateDer;
use rustls::{Error, RootCertStore};
use std::sync::Arc;

/// Maximum number of certificates between that of the other end and a trusted one. The search for a
/// path takes time that grows with the factorial of this number, before anything is proved. Real
/// chains have up to three.
const INTERMEDIATES_MAX: usize = 4;

/// The certificates of a trust store.
///
/// A trusted certificate that is not that of an authority is trusted itself, and issues no others.
/// rustls does not make this difference. Otherwise, each worker whose own certificate is trusted
/// could issue certificates for every host.
#[derive(Debug, Clone)]
pub(crate) struct TrustedRoots {
    authorities: Arc<RootCertStore>,
    /// The certificates that are not those of authorities.
    others: Arc<RootCertStore>,
    others_der: Vec<CertificateDer<'static>>,
}

impl TrustedRoots {
    /// Reads a trust store with at least one certificate.
    pub(crate) fn of(trust_store: &KeyStore) -> Result<TrustedRoots, HttpsError> {
        let (mut authorities, mut others) = (RootCertStore::empty(), RootCertStore::empty());
        let mut others_der = Vec::new();
        for anchor in trust_store.anchors() {
            let unusable = |error: String| HttpsError::UnusableAnchor(error);
            let is_authority = is_authority(anchor).map_err(|error| unusable(error.to_string()))?;
            let added = match is_authority {
                true => authorities.add(anchor.clone()),
                false => {
                    others_der.push(anchor.clone());
                    others.add(anchor.clone())
                }
            };
            added.map_err(|error| unusable(error.to_string()))?;
        }
        match authorities.is_empty() && others.is_empty() {
            true => Err(HttpsError::NoAnchor),
            false => Ok(TrustedRoots {
                authorities: Arc::new(authorities),
                others: Arc::new(others),
                others_der,
            }),
        }
    }

    /// Returns the certificates of authorities.
    pub(crate) fn authorities(&self) -> &Arc<RootCertStore> {
        &self.authorities
    }

    /// Returns the trusted certificates that are not those of authorities.
    pub(crate) fn others(&self) -> &Arc<RootCertStore> {
        &self.others
    }

    /// Returns the trusted certificates that may have issued `shown`, and the certificates between.
    ///
    /// # Errors
    /// Returns an error if the other end has shown more certificates than any real one does.
    pub(crate) fn path_of<'a>(
        &self,
        shown: &CertificateDer<'_>,
        more: &'a [CertificateDer<'a>],
    ) -> Result<(&Arc<RootCertStore>, &'a [CertificateDer<'a>]), Error> {
        if self
            .others_der
            .iter()
            .any(|other| other.as_ref() == shown.as_ref())
        {
            return Ok((&self.others, &[]));
        }
        match more.len() <= INTERMEDIATES_MAX {
            true => Ok((&self.authorities, more)),
            false => Err(Error::General(format!(
                "a certificate has more than {INTERMEDIATES_MAX} issuers"
            ))),
        }
    }
}
