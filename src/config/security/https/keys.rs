//! The configuration keys of HTTPS.

/// The configuration key that enables HTTPS.
pub(in crate::config) const HTTPS_ENABLED: &str = "http-server.https.enabled";
pub(super) const PORT: &str = "http-server.https.port";
pub(super) const AUTOMATIC_SECRET: &str = "http-server.https.automatic-shared-secret";
pub(in crate::config) const KEY_STORE: &str = "http-server.https.keystore.path";
pub(super) const KEY_STORE_PASSWORD: &str = "http-server.https.keystore.key";
pub(super) const KEY_PASSWORD: &str = "http-server.https.keymanager.password";
pub(in crate::config) const TRUST_STORE: &str = "http-server.https.truststore.path";
pub(super) const TRUST_STORE_PASSWORD: &str = "http-server.https.truststore.key";
pub(super) const INCLUDED_CIPHERS: &str = "http-server.https.included-cipher";
pub(super) const EXCLUDED_CIPHERS: &str = "http-server.https.excluded-cipher";
pub(super) const REFRESH_TIME: &str = "http-server.https.ssl-context.refresh-time";
pub(super) const SESSION_TIMEOUT: &str = "http-server.https.ssl-session-timeout";
