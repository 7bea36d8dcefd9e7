//! The settings of HTTPS, `http-server.https.*`, with the meaning that they have in airlift.

use super::private_file::{PrivateFileError, read_private, warn_of_readers};
use crate::config::paths::Paths;
use crate::config::sources::Sources;
use crate::config::values;
use crate::security::{
    AutomaticCertificate, AutomaticCertificateError, EXCLUDED_CIPHERS_DEFAULT, HttpsError,
    HttpsSettings, KeyStore, KeyStoreError, Secret, StorePasswords,
};
use rustls::ServerConfig;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The configuration key that enables HTTPS.
pub(in crate::config) const HTTPS_ENABLED: &str = "http-server.https.enabled";
const PORT: &str = "http-server.https.port";
const AUTOMATIC_SECRET: &str = "http-server.https.automatic-shared-secret";
const KEY_STORE: &str = "http-server.https.keystore.path";
const KEY_STORE_PASSWORD: &str = "http-server.https.keystore.key";
const KEY_PASSWORD: &str = "http-server.https.keymanager.password";
const TRUST_STORE: &str = "http-server.https.truststore.path";
const TRUST_STORE_PASSWORD: &str = "http-server.https.truststore.key";
const INCLUDED_CIPHERS: &str = "http-server.https.included-cipher";
const EXCLUDED_CIPHERS: &str = "http-server.https.excluded-cipher";
const REFRESH_TIME: &str = "http-server.https.ssl-context.refresh-time";
const SESSION_TIMEOUT: &str = "http-server.https.ssl-session-timeout";

/// Default of `http-server.https.port`.
const PORT_DEFAULT: u16 = 8443;

/// Default of `http-server.https.ssl-session-timeout` in milliseconds.
const SESSION_TIMEOUT_DEFAULT_MS: u64 = 4 * 60 * 60 * 1_000;

/// Maximum of `http-server.https.ssl-session-timeout` in milliseconds.
const SESSION_TIMEOUT_MAX_MS: u64 = 12 * 60 * 60 * 1_000;

/// Bounds of `http-server.https.ssl-context.refresh-time` in milliseconds.
const REFRESH_MS_MIN: u64 = 1_000;
const REFRESH_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// `http-server.https.*`, if HTTPS is enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsFiles {
    /// `http-server.https.port`
    pub port: u16,
    /// `http-server.https.ssl-context.refresh-time`: maximum time after which a changed store is
    /// used.
    pub refresh_ms: u64,
    /// The source of the private key and its certificates.
    pub key_source: KeySource,
    /// The store with the certificates by which those of clients are verified.
    pub trust_store: Option<StoreFile>,
    included_ciphers: String,
    excluded_ciphers: String,
    session_timeout_s: u32,
}

/// The source of the private key of HTTPS and its certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// `http-server.https.keystore.path`
    Store(StoreFile),
    /// `http-server.https.automatic-shared-secret`: a key that each node and engine derives from
    /// this secret. Each node makes a certificate of the key for its own addresses.
    Automatic(Secret),
}

/// The facts about a node that its automatic certificate contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateOwner {
    /// `node.environment`
    pub environment: String,
    /// The addresses of this node.
    pub addresses: Vec<IpAddr>,
    /// The current time in milliseconds since 1970.
    pub now_ms: u64,
}

/// A store, and its passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFile {
    /// The file.
    pub path: PathBuf,
    password: Option<Password>,
    key_password: Option<Password>,
}

/// A password. The `Debug` output does not show it.
#[derive(Clone, PartialEq, Eq)]
struct Password(String);

/// The bytes of the stores, from which the TLS settings are made.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreBytes {
    /// Empty if there is no key store.
    key_store: Vec<u8>,
    trust_store: Option<Vec<u8>>,
}

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

impl HttpsFiles {
    /// Reads the bytes of the stores.
    ///
    /// # Errors
    /// When a store cannot be read.
    pub fn read_stores(&self) -> Result<StoreBytes, HttpsFilesError> {
        let read = |key: &'static str, store: &StoreFile| {
            read_private(&store.path).map_err(|source| HttpsFilesError::File {
                key,
                path: store.path.display().to_string(),
                source,
            })
        };
        let trust_store = self.trust_store.as_ref();
        Ok(StoreBytes {
            key_store: match &self.key_source {
                KeySource::Store(store) => read(KEY_STORE, store)?,
                KeySource::Automatic(_) => Vec::new(),
            },
            trust_store: trust_store
                .map(|store| read(TRUST_STORE, store))
                .transpose()?,
        })
    }

    /// Makes the TLS settings of the stores. This may take a second, because a password is made
    /// expensive to guess.
    ///
    /// # Errors
    /// When a store or its password cannot be used, or when a setting does not fit the stores.
    pub fn server_config(
        &self,
        bytes: &StoreBytes,
        node: &CertificateOwner,
    ) -> Result<Arc<ServerConfig>, HttpsFilesError> {
        let key_store = match &self.key_source {
            KeySource::Store(store) => store.parse(KEY_STORE, &bytes.key_store)?,
            KeySource::Automatic(secret) => AutomaticCertificate {
                secret,
                environment: &node.environment,
                addresses: &node.addresses,
                now_ms: node.now_ms,
            }
            .key_store()?,
        };
        let trust_store = match (&self.trust_store, &bytes.trust_store) {
            (Some(file), Some(bytes)) => Some(file.parse(TRUST_STORE, bytes)?),
            _ => None,
        };
        let settings = HttpsSettings {
            key_store: &key_store,
            trust_store: trust_store.as_ref(),
            included_ciphers: &self.included_ciphers,
            excluded_ciphers: &self.excluded_ciphers,
            session_timeout_s: self.session_timeout_s,
        };
        settings.server_config().map_err(|source| {
            let store = match (source.setting(), &self.key_source) {
                (KEY_STORE, KeySource::Store(store)) => Some(store),
                (TRUST_STORE, _) => self.trust_store.as_ref(),
                _ => None,
            };
            let path = store.map_or_else(String::new, |store| format!("{} ", store.path.display()));
            HttpsFilesError::Setting { path, source }
        })
    }
}

impl StoreFile {
    /// Parses the content of the store. `key` is the configuration key with its path.
    fn parse(&self, key: &'static str, bytes: &[u8]) -> Result<KeyStore, HttpsFilesError> {
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

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

impl fmt::Debug for StoreBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreBytes({} bytes)", self.key_store.len())
    }
}

/// Reads the settings of HTTPS, and checks that the stores can be used. Returns `None` if HTTPS is
/// not enabled.
pub(in crate::config) fn read(sources: &mut Sources, paths: &Paths) -> Option<HttpsFiles> {
    let is_enabled = sources.read(HTTPS_ENABLED, false, values::boolean);
    let port = sources.read(PORT, PORT_DEFAULT, |text| {
        values::integer(text, 0, u64::from(u16::MAX)).map(|port| port as u16)
    });
    let key_store = store_file(sources, paths, KEY_STORE, KEY_STORE_PASSWORD);
    let trust_store = store_file(sources, paths, TRUST_STORE, TRUST_STORE_PASSWORD);
    let key_password = password(sources, KEY_PASSWORD);
    let automatic = sources.read(AUTOMATIC_SECRET, None, |text| {
        Secret::parse(text)
            .map(Some)
            .map_err(|error| error.to_string())
    });
    let included_ciphers = text(sources, INCLUDED_CIPHERS, "");
    let excluded_ciphers = text(sources, EXCLUDED_CIPHERS, EXCLUDED_CIPHERS_DEFAULT);
    let refresh_ms = sources.read(REFRESH_TIME, 60_000, |text| {
        duration_ms(text, REFRESH_MS_MIN, REFRESH_MS_MAX)
    });
    let timeout_ms = sources.read(SESSION_TIMEOUT, SESSION_TIMEOUT_DEFAULT_MS, |text| {
        duration_ms(text, 1_000, SESSION_TIMEOUT_MAX_MS)
    });
    if !is_enabled {
        return None;
    }
    let key_source = match (key_store, automatic) {
        (Some(store), None) => KeySource::Store(StoreFile {
            key_password,
            ..store
        }),
        (None, Some(secret)) => KeySource::Automatic(secret),
        (Some(_), Some(_)) => {
            let both = format!("cannot be set beside {KEY_STORE}: name one of them");
            sources.invalid(AUTOMATIC_SECRET, &both);
            return None;
        }
        (None, None) => {
            // A bad value of either key is reported already.
            if sources.text(KEY_STORE).is_none() && sources.text(AUTOMATIC_SECRET).is_none() {
                // airlift's words.
                sources.invalid(
                    HTTPS_ENABLED,
                    "Keystore path or automatic HTTPS shared secret must be provided when HTTPS \
                     is enabled",
                );
            }
            return None;
        }
    };
    let files = HttpsFiles {
        port,
        refresh_ms,
        key_source,
        trust_store,
        included_ciphers,
        excluded_ciphers,
        session_timeout_s: u32::try_from(timeout_ms / 1_000).unwrap_or(u32::MAX),
    };
    // The addresses of the node are not known yet, and do not matter for this check.
    let node = CertificateOwner {
        environment: sources
            .text("node.environment")
            .unwrap_or_default()
            .to_owned(),
        addresses: Vec::new(),
        now_ms: 0,
    };
    let checked = files
        .read_stores()
        .and_then(|bytes| files.server_config(&bytes, &node));
    match checked {
        Ok(_) => {
            if let KeySource::Store(store) = &files.key_source {
                warn_of_readers(sources, &store.path, "the private key");
            }
            Some(files)
        }
        Err(error) => {
            sources.invalid(error.key(), &error.to_string());
            None
        }
    }
}

/// Reads the path and the password of a store. Returns `None` if no path is set.
fn store_file(
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

fn password(sources: &mut Sources, key: &str) -> Option<Password> {
    sources.read(key, None, |text| Ok(Some(Password(text.to_owned()))))
}

fn text(sources: &mut Sources, key: &str, default: &str) -> String {
    sources.read(key, default.to_owned(), |text| Ok(text.to_owned()))
}

fn duration_ms(text: &str, min: u64, max: u64) -> Result<u64, String> {
    match values::duration_ms(text)? {
        ms if (min..=max).contains(&ms) => Ok(ms),
        _ => Err(format!(
            "'{}' is not between {min}ms and {max}ms",
            values::shown(text)
        )),
    }
}
