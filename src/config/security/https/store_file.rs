//! A key store or trust store, and its passwords.

use super::error::HttpsFilesError;
use super::keys::{KEY_PASSWORD, KEY_STORE_PASSWORD, TRUST_STORE, TRUST_STORE_PASSWORD};
use crate::config::paths::Paths;
use crate::config::security::private_file::read_private;
use crate::config::sources::Sources;
use crate::security::{KeyStore, KeyStoreError, StorePasswords};
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::path::PathBuf;

/// A store, and its passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFile {
    /// The file.
    pub path: PathBuf,
    pub(super) password: Option<Password>,
    pub(super) key_password: Option<Password>,
}

/// A password. The `Debug` output does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(String);

impl StoreFile {
    /// Reads the trust store, and returns its certificates.
    pub(super) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, HttpsFilesError> {
        let store = self.parse(TRUST_STORE, &self.read(TRUST_STORE)?)?;
        Ok(store.anchors().cloned().collect())
    }

    /// Reads the bytes of the store. `key` is the configuration key with its path.
    pub(super) fn read(&self, key: &'static str) -> Result<Vec<u8>, HttpsFilesError> {
        read_private(&self.path).map_err(|source| HttpsFilesError::File {
            key,
            path: self.path.display().to_string(),
            source,
        })
    }

    /// Parses the content of the store. `key` is the configuration key with its path.
    pub(super) fn parse(
        &self,
        key: &'static str,
        bytes: &[u8],
    ) -> Result<KeyStore, HttpsFilesError> {
        let text = |password: &'_ Option<Password>| password.as_ref().map(|it| it.0.clone());
        let (store, key_password) = (text(&self.password), text(&self.key_password));
        let passwords = StorePasswords {
            store: store.as_deref(),
            key: key_password.as_deref(),
        };
        KeyStore::read(bytes, &passwords).map_err(|source| {
            let password_key = match (&source, key) {
                (KeyStoreError::WrongPassword | KeyStoreError::NoPassword, TRUST_STORE) => {
                    Some(TRUST_STORE_PASSWORD)
                }
                (KeyStoreError::WrongPassword | KeyStoreError::NoPassword, _) => {
                    Some(KEY_STORE_PASSWORD)
                }
                (KeyStoreError::WrongKeyPassword { .. } | KeyStoreError::KeyPasswordForPem, _) => {
                    Some(KEY_PASSWORD)
                }
                _ => None,
            };
            HttpsFilesError::Store {
                key,
                path: self.path.display().to_string(),
                source,
                password_hint: password_key.map_or_else(String::new, |key| format!(" ({key})")),
            }
        })
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// Reads the path and the password of a store. Returns `None` if no path is set.
pub(super) fn store_file(
    sources: &mut Sources,
    paths: &Paths,
    path_key: &str,
    password_key: &str,
) -> Option<StoreFile> {
    let path = sources.read(path_key, None, |text| Ok(Some(paths.in_data_dir(text))));
    let password = password(sources, password_key);
    path.map(|path| StoreFile {
        path,
        password,
        key_password: None,
    })
}

pub(super) fn password(sources: &mut Sources, key: &str) -> Option<Password> {
    sources.read(key, None, |text| Ok(Some(Password(text.to_owned()))))
}
