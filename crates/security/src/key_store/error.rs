//! The reasons why a store cannot be read.

use super::limits::{
    CERTIFICATES_MAX, CHAIN_BYTES_MAX, CHAIN_MAX, ITERATIONS_MAX, KEYS_MAX, STORE_BYTES_MAX,
};
use crate::der::DerError;
use thiserror::Error;

/// The reason why a store cannot be read, as a phrase that follows the name of its file. It never
/// contains a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyStoreError {
    /// The file is larger than any store.
    #[error("has {0} bytes; the limit is {STORE_BYTES_MAX}")]
    TooLarge(usize),
    /// The file has another format than those that are supported.
    #[error("is neither PEM nor a JKS or PKCS #12 store")]
    UnknownFormat,
    /// The file is a store of Java's old type with a cipher of its own.
    #[error(
        "is a JCEKS store, which is not supported: \
         convert it with keytool -importkeystore -deststoretype pkcs12"
    )]
    Jceks,
    /// The file is a PKCS #12 store whose elements have no length, as Bouncy Castle writes them.
    #[error(
        "is a PKCS #12 store in BER, which is not supported: \
         convert it with keytool -importkeystore -deststoretype pkcs12"
    )]
    Ber,
    /// The file is not as its format demands, or has been changed.
    #[error("is damaged: {0}")]
    Damaged(&'static str),
    /// The password of the store is wrong. A file of which the password decrypts nothing may also
    /// be damaged, which cannot be distinguished from a wrong password.
    #[error("wrong password")]
    WrongPassword,
    /// The password of a private key is wrong, and that of the store is not known to be wrong.
    #[error("wrong password of the key {alias}")]
    WrongKeyPassword {
        /// The name of the key in the store.
        alias: String,
    },
    /// The file is encrypted, and there is no password.
    #[error("is encrypted, and no password is given")]
    NoPassword,
    /// A PEM file was given with a password of the keys.
    #[error("is a PEM file, in which a key has no password of its own")]
    KeyPasswordForPem,
    /// A private key is encrypted in the format that OpenSSL had before PKCS #8.
    #[error(
        "is an encrypted {0} key, which is not supported: convert it with openssl pkcs8 -topk8"
    )]
    EncryptedTraditionalKey(&'static str),
    /// A PEM file has a private key of an algorithm that TLS no longer uses.
    #[error("holds a {0} key, which is not supported")]
    UnsupportedKey(&'static str),
    /// The file is encrypted or authenticated by an algorithm that is not supported.
    #[error("uses {0}, which is not supported")]
    UnsupportedAlgorithm(&'static str),
    /// A key is derived from the password with too many iterations.
    #[error("uses {0} iterations; the limit is {ITERATIONS_MAX}")]
    TooManyIterations(u64),
    /// All keys together are derived with too many iterations.
    #[error("uses more than {0} iterations in all")]
    TooManyIterationsInAll(
        /// The limit.
        u64,
    ),
    /// The file has more certificates than any store needs.
    #[error("holds more than {CERTIFICATES_MAX} certificates")]
    TooManyCertificates,
    /// The file has more private keys than any store needs.
    #[error("holds more than {KEYS_MAX} private keys")]
    TooManyKeys,
    /// A PEM file has several private keys, and does not say whose certificates follow.
    #[error("holds several private keys; a PEM file may hold one")]
    SeveralKeys,
    /// The chain of a key is longer than clients accept.
    #[error("holds a chain of more than {CHAIN_MAX} certificates or {CHAIN_BYTES_MAX} bytes")]
    ChainTooLong,
    /// A private key has no certificate.
    #[error("holds no certificate of the private key{0}")]
    NoCertificateOfKey(
        /// The name of the key after a space, if it has one.
        String,
    ),
    /// The file has neither a private key nor a certificate.
    #[error("holds neither a private key nor a certificate")]
    Empty,
}

impl From<DerError> for KeyStoreError {
    fn from(_: DerError) -> KeyStoreError {
        KeyStoreError::Damaged("it is not the expected DER")
    }
}
