//! The configuration: an `etc/` directory in airlift's format, read into validated [`Settings`].
//!
//! There are three sources: `config.properties`, `node.properties` and `-D`. A key in a later
//! source overrides the same key in an earlier source. An unknown key is an error in
//! `config.properties`. In the other two sources it is ignored, because airlift's launcher passes
//! these sources to Java as system properties. Relative paths start in the data directory.

mod environment;
mod error;
pub mod exit_code;
mod file;
mod http_client;
pub mod inventory_source;
mod keys;
mod logging;
mod paths;
mod properties;
mod security;
mod settings;
mod sources;
mod values;

pub use error::{ConfigError, ConfigErrors, SourceLocation};
pub use http_client::{http_client_builder, innermost_cause};
pub use paths::{CommandLine, Paths};
#[cfg(feature = "fuzzing")]
pub use properties::{parse_java, parse_launcher};
pub use security::{
    CertificateOwner, EngineAuthentication, HttpsFiles, HttpsFilesError, KeySource, MadeConfig,
    PeerAuthentication, PrivateFileError, SecretsFileError, SecuritySettings, SharedSecrets,
    StoreBytes, StoreFile, TokensFile, TokensFileError, read_secrets, read_tokens,
};
pub use settings::{
    InternalAddressSource, LogFormat, LogLevel, LogSettings, RollingLogSettings, Settings, load,
};
pub use values::duration_ms;
