//! The reasons why the HTTPS listener cannot be set up.

use crate::certificate::UnreadableCertificate;
use thiserror::Error;

/// The key of the configuration with the path of the key store.
const KEY_STORE: &str = "http-server.https.keystore.path";
/// The key of the configuration with the path of the trust store.
const TRUST_STORE: &str = "http-server.https.truststore.path";
/// The key of the configuration with the cipher suites that are allowed.
pub(super) const INCLUDED: &str = "http-server.https.included-cipher";
/// The key of the configuration with the cipher suites that are not allowed.
pub(super) const EXCLUDED: &str = "http-server.https.excluded-cipher";

/// The reason why the HTTPS listener cannot be set up, as a phrase that follows the name of the
/// file or the key of the configuration that [`HttpsError::setting`] tells.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum HttpsError {
    /// The key store has only certificates.
    #[error("holds no private key")]
    NoPrivateKey,
    /// A key can be broken.
    #[error("the RSA key {alias} has {bits} bits, and at least 2048 are needed")]
    WeakKey {
        /// The name of the key in the store.
        alias: String,
        /// The number of its bits.
        bits: usize,
    },
    /// A key is of a kind that rustls cannot use.
    #[error(
        "the key {alias} is {kind}, which is not supported: \
         use EC P-256, EC P-384, Ed25519 or RSA with 2048 to 4096 bits"
    )]
    UnsupportedKeyKind {
        /// The name of the key in the store.
        alias: String,
        /// The algorithm of the key.
        kind: String,
    },
    /// A key cannot be used, or is not the one of its certificate.
    #[error("the private key {0} is damaged, or its certificate is of another key")]
    UnusableKey(
        /// The name of the key in the store.
        String,
    ),
    /// A certificate of the key store cannot be read.
    #[error(transparent)]
    Certificate(#[from] UnreadableCertificate),
    /// A pattern of cipher suites is not a regular expression.
    #[error("{pattern} is not a regular expression that is supported: {reason}")]
    CipherPattern {
        /// The key of the configuration.
        setting: &'static str,
        /// The pattern.
        pattern: String,
        /// The reason.
        reason: String,
    },
    /// The patterns leave no cipher suite.
    #[error("leaves none of the cipher suites {names}")]
    NoCipher {
        /// The key of the configuration.
        setting: &'static str,
        /// The names of all cipher suites.
        names: String,
    },
    /// The cipher suites that are left cannot be used with a key.
    #[error("leaves no cipher suite for the {algorithm} key {alias}")]
    NoCipherForKey {
        /// The key of the configuration.
        setting: &'static str,
        /// The name of the key in the store.
        alias: String,
        /// The algorithm of the key.
        algorithm: String,
    },
    /// The trust store has no certificate.
    #[error("holds no trusted certificate")]
    NoAnchor,
    /// A certificate of the trust store cannot be used to verify others.
    #[error("holds a trusted certificate that cannot be used: {0}")]
    UnusableAnchor(
        /// The reason.
        String,
    ),
    /// rustls refuses a setting, or there are no random numbers.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl HttpsError {
    /// Returns the key of the configuration that must be changed.
    pub fn setting(&self) -> &'static str {
        match self {
            HttpsError::CipherPattern { setting, .. }
            | HttpsError::NoCipher { setting, .. }
            | HttpsError::NoCipherForKey { setting, .. } => setting,
            HttpsError::NoAnchor | HttpsError::UnusableAnchor(_) => TRUST_STORE,
            _ => KEY_STORE,
        }
    }
}
