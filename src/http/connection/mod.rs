//! Connections.
//!
//! - `acceptor` accepts connections.
//! - `driver` enforces time limits, parks idle connections, and ends connections.
//! - `exchange` answers requests.
//! - `peer_tls` performs the TLS handshakes of peers.

mod acceptor;
mod backlog;
mod descriptors;
mod driver;
mod error_bodies;
mod exchange;
mod h2_frames;
mod idle;
mod lingering_body;
mod peekable_stream;
mod peer_tls;
mod poll_on_wake;
mod protocol;
mod tracked_io;

pub use acceptor::serve;
pub use descriptors::raise_descriptors;
