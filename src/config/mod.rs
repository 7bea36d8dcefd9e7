//! The configuration: an `etc/` directory in airlift's format, read into validated [`Settings`].
//!
//! There are three sources, each of which overrides the ones before it: `config.properties`,
//! `node.properties`, `-D`. In `config.properties`, an unknown key is an error. In the other two
//! sources it is ignored, because airlift's launcher passes them to Java as system properties.
//! Relative paths start in the data directory.

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
pub use http_client::{http_client, http_client_builder, innermost_cause};
pub use paths::{CommandLine, Paths};
#[cfg(feature = "fuzzing")]
pub use properties::{parse_java, parse_launcher};
pub use security::{
    EngineAuthentication, PeerAuthentication, SecretsFileError, SecuritySettings, SharedSecrets,
    read_secrets,
};
pub use settings::{
    AccessLogSettings, InternalAddressSource, LogFormat, LogLevel, LogSettings, Settings, load,
};
pub use values::duration_ms;
