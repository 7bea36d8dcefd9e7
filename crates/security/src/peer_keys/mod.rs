//! The key pair by which the peers of a group recognize each other.
//!
//! Each shared secret yields one Ed25519 key pair, the same on every node. Both ends of a TLS 1.3
//! connection show the public key (RFC 7250) and prove that they have the private key. A node
//! therefore needs no certificates. TLS proves only that the other end is some node with the
//! secret. The first message on the connection (the hello) names the sender and the intended
//! receiver, if any.
//!
//! Anyone who connects sees the public key, and can try secrets until one yields this key. The
//! derivation is therefore slow. A random secret of 32 bytes cannot be found in any case.

mod raw_key_verifier;

use crate::secret::Secret;
use crate::secret_list::SecretList;
use raw_key_verifier::RawKeyVerifier;
pub(crate) use raw_key_verifier::older_than_tls13;
use ring::pbkdf2;
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{default_provider, kx_group, sign::any_eddsa_type};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

/// The ALPN protocol of peers (RFC 7301). The number in the name is the version of the way in which
/// peers recognize each other. `quorate-peer/1` is an HTTP upgrade in plain text.
pub const PEER_ALPN: &[u8] = b"quorate-peer/2";

/// Number of rounds of the key derivation. The derivation of one key takes about 35 ms of a
/// processor (2026-11-30), at start and after each change of the secrets.
const ROUNDS: NonZeroU32 = NonZeroU32::new(200_000).unwrap();

const SEED_BYTES: usize = 32;

/// The DER prefix of a PKCS#8 file that contains only the seed of an Ed25519 key (RFC 8410, 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A public key that a peer may show, in the encoding of TLS (`SubjectPublicKeyInfo`).
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(SubjectPublicKeyInfoDer<'static>);

impl PublicKey {
    /// Returns the key that the other end of a connection has shown and proved. Returns `None`
    /// without a complete handshake.
    pub fn shown(certificates: Option<&[CertificateDer<'_>]>) -> Option<PublicKey> {
        let shown = certificates?.first()?;
        Some(PublicKey(SubjectPublicKeyInfoDer::from(shown.to_vec())))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey")
    }
}

/// The key that this node shows to its peers, the keys that it accepts from peers, and the TLS
/// settings with all these keys. The `Debug` output contains no key.
pub struct PeerKeys {
    accepted: Vec<PublicKey>,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl PeerKeys {
    /// Derives the keys of the secrets for an environment. Nodes of different environments that
    /// share a secret do not accept each other.
    ///
    /// # Errors
    /// Returns an error if the TLS library rejects a setting, which no secret can cause.
    pub fn derive(secrets: &SecretList, environment: &str) -> Result<PeerKeys, rustls::Error> {
        let keys = secrets.iter().map(|secret| key_pair(secret, environment));
        let pairs = keys.collect::<Result<Vec<_>, _>>()?;
        let accepted: Vec<_> = pairs.iter().map(|(_, public)| public.clone()).collect();
        let (signing, public) = &pairs[0];
        let shown = Arc::new(CertifiedKey::new(
            vec![CertificateDer::from(public.0.to_vec())],
            signing.clone(),
        ));
        // Only X25519 is allowed, because a client could choose a group whose key exchange takes
        // far longer.
        let provider = Arc::new(CryptoProvider {
            kx_groups: vec![kx_group::X25519],
            ..default_provider()
        });
        let verifier = Arc::new(RawKeyVerifier::new(&accepted, &provider));
        Ok(PeerKeys {
            client: client_config(&provider, &verifier, &shown)?,
            server: server_config(&provider, &verifier, &shown)?,
            accepted,
        })
    }

    /// Returns whether a peer that showed this key is still accepted.
    pub fn accepts(&self, key: &PublicKey) -> bool {
        self.accepted.contains(key)
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

impl fmt::Debug for PeerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKeys({} accepted)", self.accepted.len())
    }
}

/// Derives the key pair of a secret with PBKDF2 (RFC 8018). No other use of the secret has the same
/// salt, so keys of different uses are independent.
fn key_pair(
    secret: &Secret,
    environment: &str,
) -> Result<(Arc<dyn SigningKey>, PublicKey), rustls::Error> {
    let salt = [PEER_ALPN, b"\0", environment.as_bytes()].concat();
    let mut pkcs8 = [0; PKCS8_PREFIX.len() + SEED_BYTES];
    let (prefix, seed) = pkcs8.split_at_mut(PKCS8_PREFIX.len());
    prefix.copy_from_slice(&PKCS8_PREFIX);
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, ROUNDS, &salt, secret.bytes(), seed);
    let signing = any_eddsa_type(&PrivatePkcs8KeyDer::from(&pkcs8[..]))?;
    let public = signing
        .public_key()
        .map(|key| PublicKey(key.into_owned()))
        .ok_or_else(|| rustls::Error::General("a private key has no public one".to_owned()))?;
    Ok((signing, public))
}

/// Builds the settings for dialing. Sessions are not resumed, because a resumed session would skip
/// the check of the key.
fn client_config(
    provider: &Arc<CryptoProvider>,
    verifier: &Arc<RawKeyVerifier>,
    shown: &Arc<CertifiedKey>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
            shown.clone(),
        )));
    config.alpn_protocols = vec![PEER_ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Builds the settings for accepting. The other end must show a key, and no session is resumed.
fn server_config(
    provider: &Arc<CryptoProvider>,
    verifier: &Arc<RawKeyVerifier>,
    shown: &Arc<CertifiedKey>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier.clone())
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(
            shown.clone(),
        )));
    config.alpn_protocols = vec![PEER_ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
