//! The certificates by which the peers of a group recognize each other, in place of the keys of a
//! shared secret.
//!
//! Each node shows the certificate of its key store, and verifies that of the other end by its
//! trust store. A verified certificate proves only the hosts that it names. The end that dials
//! compares them with the host that it dials, in the handshake. The end that accepts learns from
//! the first message on the connection (the hello) which node dials, so it compares them later,
//! with the host at which the inventory lists this node ([`CertificateProof::hosts`]).

mod exact_host_verifier;

use crate::certificate_hosts::CertificateHosts;
use crate::https::{DialingEnd, DialingVerifier, HttpsError, TrustedRoots, served_key};
use crate::key_store::KeyStore;
use crate::peer_keys::PEER_ALPN;
use exact_host_verifier::ExactHostVerifier;
use ring::digest::{Context, SHA256};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{default_provider, kx_group};
use rustls::pki_types::CertificateDer;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use std::fmt;
use std::sync::Arc;

/// A digest of the certificates of a trust store, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TrustDigest([u8; 32]);

/// The proof of a peer whose certificate a trust store has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateProof {
    hosts: CertificateHosts,
    verified_by: TrustDigest,
}

impl CertificateProof {
    /// Returns the hosts that the peer has proved to be.
    pub fn hosts(&self) -> &CertificateHosts {
        &self.hosts
    }
}

/// The certificate that this node shows to its peers and the authorities that it trusts, as TLS
/// settings.
pub struct PeerCertificates {
    verified_by: TrustDigest,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl PeerCertificates {
    /// Makes the settings of the first private key of the key store, and of all certificates of the
    /// trust store.
    ///
    /// # Errors
    /// Returns an error if the key store has no key that can be used, or if the trust store has no
    /// certificate that can be used.
    pub fn new(
        key_store: &KeyStore,
        trust_store: &KeyStore,
    ) -> Result<PeerCertificates, HttpsError> {
        let entry = key_store.entries().first();
        let key = served_key(entry.ok_or(HttpsError::NoPrivateKey)?)?;
        let shown = Arc::new(SingleCertAndKey::from(key));
        // Only X25519 is allowed, because a client could choose a group whose key exchange takes
        // far longer.
        let provider = Arc::new(CryptoProvider {
            kx_groups: vec![kx_group::X25519],
            ..default_provider()
        });
        let roots = TrustedRoots::of(trust_store)?;
        Ok(PeerCertificates {
            verified_by: trust_digest(trust_store),
            client: client_config(&provider, roots.clone(), &shown)?,
            server: server_config(&provider, roots, &shown)?,
        })
    }

    /// Returns the proof of the other end of a connection that was made with these settings.
    /// Returns `None` without a complete handshake.
    pub fn proof(&self, chain: Option<&[CertificateDer<'_>]>) -> Option<CertificateProof> {
        Some(CertificateProof {
            hosts: CertificateHosts::of_chain(chain)?,
            verified_by: self.verified_by,
        })
    }

    /// Returns whether a proof was verified by the present trust store.
    pub fn accepts(&self, proof: &CertificateProof) -> bool {
        self.verified_by == proof.verified_by
    }

    /// Returns the TLS settings with which peers are dialed.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        self.client.clone()
    }

    /// Returns the TLS settings with which peers are accepted.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }
}

impl fmt::Debug for PeerCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerCertificates")
    }
}

fn trust_digest(trust_store: &KeyStore) -> TrustDigest {
    let mut anchors: Vec<&[u8]> = trust_store.anchors().map(AsRef::as_ref).collect();
    anchors.sort();
    anchors.dedup();
    let mut context = Context::new(&SHA256);
    for anchor in anchors {
        // The length separates two certificates.
        context.update(&(anchor.len() as u64).to_be_bytes());
        context.update(anchor);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    TrustDigest(digest)
}

/// Builds the settings for dialing. Sessions are not resumed, because a resumed session would skip
/// the check of the certificate. The name of the peer is not sent, because it has one certificate.
fn client_config(
    provider: &Arc<CryptoProvider>,
    roots: TrustedRoots,
    shown: &Arc<SingleCertAndKey>,
) -> Result<Arc<ClientConfig>, HttpsError> {
    let verifier = ExactHostVerifier::new(roots, provider);
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(shown.clone());
    config.alpn_protocols = vec![PEER_ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Builds the settings for accepting. The other end must show a certificate, and no session is
/// resumed.
fn server_config(
    provider: &Arc<CryptoProvider>,
    roots: TrustedRoots,
    shown: &Arc<SingleCertAndKey>,
) -> Result<Arc<ServerConfig>, HttpsError> {
    let verifier = DialingVerifier::new(DialingEnd::Peer, roots, provider)?;
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(shown.clone());
    config.alpn_protocols = vec![PEER_ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
