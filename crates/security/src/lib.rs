//! The proofs of identity that quorate makes and checks.
//!
//! - [`Secret`] and [`SecretList`]: shared secrets, which no output ever shows.
//! - [`PeerKeys`]: the key pair by which peers recognize each other, and the TLS settings for it.
//! - [`PeerCertificates`]: the certificates by which peers recognize each other instead, and the
//!   TLS settings for them.
//! - [`EngineKeys`]: the check of the tokens of Presto's and Trino's engines.
//! - [`EngineTokenSigner`]: the maker of such tokens, for a load generator.
//! - [`AccessTokens`]: the list of the tokens of people and tools.
//! - [`KeyStore`]: the private keys and certificates of a PEM file or of a store of Java.
//! - [`AutomaticCertificate`]: the key and certificate that airlift derives from a secret.
//! - [`HttpsSettings`]: the TLS settings of the HTTPS listener.
//! - [`CertificateHosts`], [`not_after_s`] and [`certificate_problem`]: facts about a certificate.
//!
//! Nothing here does I/O or reads a clock.

mod access_token;
mod automatic_certificate;
mod certificate;
mod certificate_hosts;
mod certificate_problem;
mod der;
mod ec_private_key;
mod engine_token;
mod https;
mod key_store;
mod peer_certificates;
mod peer_keys;
mod secret;
mod secret_list;

pub use access_token::{
    ACCESS_TOKENS_MAX, AccessTokens, AccessTokensError, TOKEN_NAME_BYTES_MAX, TokenLineError,
    TokenNameError, TokenOwner, TokenRole, TokenRoleError, token_line, token_of,
};
pub use automatic_certificate::{AutomaticCertificate, AutomaticCertificateError};
pub use certificate::{UnreadableCertificate, not_after_s};
pub use certificate_hosts::CertificateHosts;
pub use certificate_problem::{certificate_problem, is_about_certificate};
pub use engine_token::{
    EngineKeys, EngineTokenError, EngineTokenSigner, LEEWAY_S, TOKEN_BYTES_MAX,
};
pub use https::{EXCLUDED_CIPHERS_DEFAULT, HTTPS_ALPN, HttpsError, HttpsSettings};
pub use key_store::{KeyEntry, KeyStore, KeyStoreError, STORE_BYTES_MAX, StorePasswords};
pub use peer_certificates::{CertificateProof, PeerCertificates};
pub use peer_keys::{PEER_ALPN, PeerKeys, PublicKey};
pub use secret::{SECRET_BYTES_ADVISED, SECRET_BYTES_MAX, SECRET_BYTES_MIN, Secret, SecretError};
pub use secret_list::{SECRETS_MAX, SecretList, SecretListError};
