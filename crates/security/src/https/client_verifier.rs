//! The check of the certificates that clients show.

use super::error::HttpsError;
use super::trusted_roots::trusted_roots;
use crate::key_store::KeyStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use std::sync::Arc;

/// Maximum size of the list of issuers that a client is shown, in bytes. TLS has a limit of 64 KiB.
/// A client without the list shows the certificate that it has.
const HINTS_BYTES_MAX: usize = 16 << 10;

/// Returns a verifier that asks for a certificate. A client may show none, but a certificate that
/// is shown must be issued by one of the trust store, for clients if it says for what.
pub(super) fn client_verifier(
    trust_store: &KeyStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, HttpsError> {
    let roots = trusted_roots(trust_store)?;
    let hints: usize = roots
        .subjects()
        .iter()
        .map(|name| name.as_ref().len())
        .sum();
    let roots = Arc::new(roots);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
    let builder = match hints > HINTS_BYTES_MAX {
        true => builder.clear_root_hint_subjects(),
        false => builder,
    };
    let verifier = builder.allow_unauthenticated().build();
    verifier.map_err(|error| HttpsError::UnusableAnchor(error.to_string()))
}
