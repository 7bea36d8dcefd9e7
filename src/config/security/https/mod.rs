//! The settings of HTTPS, `http-server.https.*`, with the meaning that they have in airlift.

mod error;
mod keys;
mod store_file;

pub use error::HttpsFilesError;
pub(in crate::config) use keys::{HTTPS_ENABLED, KEY_STORE, TRUST_STORE};
pub use store_file::StoreFile;

use super::private_file::{warn_of_exposed_value, warn_of_readers};
use crate::config::paths::Paths;
use crate::config::sources::Sources;
use crate::config::values;
use crate::security::{
    AutomaticCertificate, EXCLUDED_CIPHERS_DEFAULT, HttpsError, HttpsSettings, PeerCertificates,
    SECRET_BYTES_ADVISED, Secret, not_after_s,
};
use keys::{
    AUTOMATIC_SECRET, EXCLUDED_CIPHERS, INCLUDED_CIPHERS, KEY_PASSWORD, KEY_STORE_PASSWORD, PORT,
    REFRESH_TIME, SESSION_TIMEOUT, TRUST_STORE_PASSWORD,
};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use store_file::{password, store_file};

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

/// The bytes of the stores, from which the TLS settings are made.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreBytes {
    /// Empty if there is no key store.
    key_store: Vec<u8>,
    trust_store: Option<Vec<u8>>,
}

/// The TLS settings of HTTPS.
#[derive(Debug, Clone)]
pub struct MadeConfig {
    /// The settings.
    pub config: Arc<ServerConfig>,
    /// The settings of the same stores for connections between nodes. `None` without a trust store.
    pub peers: Option<Arc<PeerCertificates>>,
    /// The time after which the first certificate is not valid, in seconds since 1970.
    pub expires_s: Option<i64>,
}

impl HttpsFiles {
    /// Reads the bytes of the stores.
    ///
    /// # Errors
    /// When a store cannot be read.
    pub fn read_stores(&self) -> Result<StoreBytes, HttpsFilesError> {
        let trust_store = self.trust_store.as_ref();
        Ok(StoreBytes {
            key_store: match &self.key_source {
                KeySource::Store(store) => store.read(KEY_STORE)?,
                KeySource::Automatic(_) => Vec::new(),
            },
            trust_store: trust_store
                .map(|store| store.read(TRUST_STORE))
                .transpose()?,
        })
    }

    /// Makes the TLS settings of the stores, and returns them with the time after which the first
    /// certificate is not valid. This may take a second, because a password is made expensive to
    /// guess.
    ///
    /// # Errors
    /// When a store or its password cannot be used, or when a setting does not fit the stores.
    pub fn server_config(
        &self,
        bytes: &StoreBytes,
        node: &CertificateOwner,
    ) -> Result<MadeConfig, HttpsFilesError> {
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
        let failed = |source: HttpsError| {
            let store = match (source.setting(), &self.key_source) {
                (KEY_STORE, KeySource::Store(store)) => Some(store),
                (TRUST_STORE, _) => self.trust_store.as_ref(),
                _ => None,
            };
            let path = store.map_or_else(String::new, |store| format!("{} ", store.path.display()));
            HttpsFilesError::Setting { path, source }
        };
        let config = settings.server_config().map_err(failed)?;
        let peers = match &trust_store {
            Some(trusted) => {
                let peers = PeerCertificates::new(&key_store, trusted).map_err(failed)?;
                Some(Arc::new(peers))
            }
            None => None,
        };
        let leaves = key_store
            .entries()
            .iter()
            .filter_map(|entry| entry.chain().first());
        let expires_s = leaves.filter_map(|leaf| not_after_s(leaf).ok()).min();
        Ok(MadeConfig {
            config,
            peers,
            expires_s,
        })
    }
}

impl fmt::Debug for StoreBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreBytes({} bytes)", self.key_store.len())
    }
}

/// Reads the settings of HTTPS, and checks that the stores can be used. Returns no settings if
/// HTTPS is not enabled. Also returns the certificates of the trust store.
pub(super) fn read(
    sources: &mut Sources,
    paths: &Paths,
) -> (Option<HttpsFiles>, Vec<CertificateDer<'static>>) {
    let trust_store = store_file(sources, paths, TRUST_STORE, TRUST_STORE_PASSWORD);
    let authorities = match trust_store.as_ref().map(StoreFile::authorities) {
        None => Vec::new(),
        Some(Ok(authorities)) => authorities,
        Some(Err(error)) => {
            sources.invalid(error.key(), &error.to_string());
            return (None, Vec::new());
        }
    };
    (read_files(sources, paths, trust_store), authorities)
}

/// Reads the settings of HTTPS. Returns `None` if HTTPS is not enabled.
fn read_files(
    sources: &mut Sources,
    paths: &Paths,
    trust_store: Option<StoreFile>,
) -> Option<HttpsFiles> {
    let is_enabled = sources.read(HTTPS_ENABLED, false, values::boolean);
    let port = sources.read(PORT, PORT_DEFAULT, |text| {
        values::integer(text, 0, u64::from(u16::MAX)).map(|port| port as u16)
    });
    let key_store = store_file(sources, paths, KEY_STORE, KEY_STORE_PASSWORD);
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
            match &files.key_source {
                KeySource::Store(store) => {
                    warn_of_readers(sources, &store.path, "the private key");
                    warn_of_exposed_value(sources, KEY_STORE_PASSWORD, "the password of the store");
                    warn_of_exposed_value(sources, KEY_PASSWORD, "the password of the key");
                }
                KeySource::Automatic(secret) => {
                    warn_of_exposed_value(sources, AUTOMATIC_SECRET, "the shared secret");
                    if secret.is_weak() {
                        sources.notices.push(format!(
                            "{AUTOMATIC_SECRET}: a secret of fewer than {SECRET_BYTES_ADVISED} \
                             bytes may be guessed by everyone who sees the certificate"
                        ));
                    }
                }
            }
            Some(files)
        }
        Err(error) => {
            sources.invalid(error.key(), &error.to_string());
            None
        }
    }
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
