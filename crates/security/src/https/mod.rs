//! The TLS settings of the HTTPS listener, with the meaning of airlift's configuration.

mod certificate_chooser;
mod cipher_filter;
mod client_verifier;
mod error;
mod served_key;
mod session_tickets;
mod trusted_roots;

use crate::key_store::KeyStore;
use certificate_chooser::CertificateChooser;
use cipher_filter::cipher_suites;
pub(crate) use client_verifier::{DialingEnd, DialingVerifier};
use error::{EXCLUDED, INCLUDED};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{default_provider, kx_group};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedCipherSuite};
use session_tickets::set_resumption;
use std::sync::Arc;

pub use cipher_filter::EXCLUDED_CIPHERS_DEFAULT;
pub use error::HttpsError;
pub(crate) use served_key::served_key;
pub(crate) use trusted_roots::TrustedRoots;

/// The protocols that the listener speaks (RFC 7301), the preferred one first. A client that offers
/// none of them is refused, and one that does not ask speaks HTTP/1.
pub const HTTPS_ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The settings of the HTTPS listener.
#[derive(Debug, Clone, Copy)]
pub struct HttpsSettings<'a> {
    /// The keys and certificates that the listener shows.
    pub key_store: &'a KeyStore,
    /// The certificates by which those of clients are verified. Without it, clients are not asked
    /// for a certificate.
    pub trust_store: Option<&'a KeyStore>,
    /// Patterns of cipher suites that are allowed, separated by commas. All are if it is empty.
    pub included_ciphers: &'a str,
    /// Patterns of cipher suites that are not allowed, by default [`EXCLUDED_CIPHERS_DEFAULT`].
    pub excluded_ciphers: &'a str,
    /// Maximum time in seconds after which a session can be resumed, up to 12 hours.
    pub session_timeout_s: u32,
}

impl HttpsSettings<'_> {
    /// Builds the settings of rustls, for TLS 1.2 and 1.3. No session that began under other
    /// settings can be resumed under these, even if they are equal.
    ///
    /// # Errors
    /// Returns an error if there is no key, if a key cannot be used or is too weak, if no cipher
    /// suite is left, or if the trust store has no certificate that can be used.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, HttpsError> {
        let keys = self.keys()?;
        let suites = cipher_suites(self.included_ciphers, self.excluded_ciphers)?;
        self.check_suites(&keys, &suites)?;
        let versions = [&TLS13, &TLS12];
        let versions = versions
            .into_iter()
            .filter(|version| suites.iter().any(|suite| suite.version() == *version));
        let versions: Vec<_> = versions.collect();
        // P-384 is left out, because any client could choose it: a handshake takes 1.6 ms with it
        // and 0.3 ms with X25519 (both ends together, P-256 certificate, 2026-11-30).
        let provider = Arc::new(CryptoProvider {
            cipher_suites: suites,
            kx_groups: vec![kx_group::X25519, kx_group::SECP256R1],
            ..default_provider()
        });
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_protocol_versions(&versions)?;
        let builder = match self.trust_store {
            Some(store) => {
                let roots = TrustedRoots::of(store)?;
                let verifier = DialingVerifier::new(DialingEnd::Client, roots, &provider)?;
                builder.with_client_cert_verifier(Arc::new(verifier))
            }
            None => builder.with_no_client_auth(),
        };
        let chooser = CertificateChooser::new(keys)?;
        let mut config = builder.with_cert_resolver(Arc::new(chooser));
        config.alpn_protocols = HTTPS_ALPN.map(<[u8]>::to_vec).to_vec();
        let verifies_clients = self.trust_store.is_some();
        set_resumption(&mut config, self.session_timeout_s, verifies_clients)?;
        Ok(Arc::new(config))
    }

    fn keys(&self) -> Result<Vec<CertifiedKey>, HttpsError> {
        let entries = self.key_store.entries();
        match entries.is_empty() {
            true => Err(HttpsError::NoPrivateKey),
            false => entries.iter().map(served_key).collect(),
        }
    }

    /// Checks that each key can be used with one of the cipher suites. Those of TLS 1.2 are each
    /// for one kind of key.
    fn check_suites(
        &self,
        keys: &[CertifiedKey],
        suites: &[SupportedCipherSuite],
    ) -> Result<(), HttpsError> {
        for (entry, key) in self.key_store.entries().iter().zip(keys) {
            let algorithm = key.key.algorithm();
            if !suites
                .iter()
                .any(|suite| suite.usable_for_signature_algorithm(algorithm))
            {
                return Err(HttpsError::NoCipherForKey {
                    setting: match self.included_ciphers.trim().is_empty() {
                        true => EXCLUDED,
                        false => INCLUDED,
                    },
                    alias: entry.alias().to_owned(),
                    algorithm: format!("{algorithm:?}"),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
