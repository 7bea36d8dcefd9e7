//! The byte streams below hyper.
//!
//! - `peekable_stream` is the socket.
//! - `client_stream` is a client's connection, in plain text or with TLS.
//! - `tracked_io` records each transfer for the time limits.
//! - `error_bodies` adds a line of text to hyper's own error responses.

mod client_stream;
mod error_bodies;
mod peekable_stream;
mod tracked_io;

pub(super) use client_stream::ClientStream;
pub(super) use error_bodies::ErrorBodies;
pub(super) use peekable_stream::PeekableStream;
pub(super) use tracked_io::TrackedIo;
