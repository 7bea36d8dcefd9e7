//! The reasons why HTTPS cannot be served.

use super::keys::AUTOMATIC_SECRET;
use crate::config::security::private_file::PrivateFileError;
use crate::security::{AutomaticCertificateError, HttpsError, KeyStoreError};

/// The reason why HTTPS cannot be served. The reason never contains a password.
#[derive(Debug, thiserror::Error)]
pub enum HttpsFilesError {
    /// A store cannot be read.
    #[error("{path} {source}")]
    File {
        /// The key of the configuration with the path of the store.
        key: &'static str,
        /// The path of the store.
        path: String,
        /// The problem with the file.
        source: PrivateFileError,
    },
    /// The content of a store cannot be used.
    #[error("{path} {source}{password_hint}")]
    Store {
        /// The key of the configuration with the path of the store.
        key: &'static str,
        /// The path of the store.
        path: String,
        /// The problem with the content.
        source: KeyStoreError,
        /// The key of the password in parentheses, if the password is wrong or missing.
        password_hint: String,
    },
    /// No automatic certificate can be made.
    #[error("{0}")]
    Automatic(#[from] AutomaticCertificateError),
    /// A setting does not fit the stores.
    #[error("{path}{source}")]
    Setting {
        /// The path of the store and a space, if the problem is in a store.
        path: String,
        /// The problem.
        source: HttpsError,
    },
}

impl HttpsFilesError {
    /// Returns the key of the configuration that must be changed.
    pub fn key(&self) -> &'static str {
        match self {
            HttpsFilesError::File { key, .. } | HttpsFilesError::Store { key, .. } => key,
            HttpsFilesError::Automatic(_) => AUTOMATIC_SECRET,
            HttpsFilesError::Setting { source, .. } => source.setting(),
        }
    }
}
