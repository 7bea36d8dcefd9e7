//! The certificates of a trust store, in the form in which rustls uses them.

use super::error::HttpsError;
use crate::key_store::KeyStore;
use rustls::RootCertStore;

/// Returns the certificates of a trust store, of which there is at least one.
pub(crate) fn trusted_roots(trust_store: &KeyStore) -> Result<RootCertStore, HttpsError> {
    let mut roots = RootCertStore::empty();
    for anchor in trust_store.anchors() {
        let added = roots.add(anchor.clone());
        added.map_err(|error| HttpsError::UnusableAnchor(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(HttpsError::NoAnchor),
        false => Ok(roots),
    }
}
