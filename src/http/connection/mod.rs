//! Connections.
//!
//! - `acceptor` accepts connections.
//! - `driver` enforces time limits, parks idle connections, and ends connections.
//! - `exchange` answers requests.
//! - `opening` detects the protocol of a connection, and performs its TLS handshake.

mod acceptor;
mod backlog;
mod descriptors;
mod driver;
mod exchange;
mod h2_frames;
mod hyper_settings;
mod idle;
mod lingering_body;
mod opening;
mod poll_on_wake;
mod protocol;
mod shutdown;
mod stream;
mod tls_handshake;

pub use acceptor::{HttpListener, serve};
pub use descriptors::raise_descriptors;
#[cfg(feature = "fuzzing")]
pub use tls_handshake::first_bytes;
