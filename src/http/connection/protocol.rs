//! Detection of a connection's protocol, by peeking at its first bytes.

use futures_util::FutureExt;
use std::io;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;

/// The start of every HTTP/2 connection. No HTTP/1 request begins this way.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The first byte of every TLS connection, whose first record is a handshake. No HTTP request
/// begins with this byte.
const TLS_HANDSHAKE: u8 = 0x16;

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2, by prior knowledge.
    Http2,
    /// TLS.
    Tls,
}

/// Waits for the first bytes and returns the protocol. The bytes are peeked at and not read,
/// because hyper makes its read buffer twice as large if the caller has already read some bytes.
/// The larger buffer would double the memory of a waiting connection.
///
/// Without `takes_tls`, TLS counts as HTTP/1, whose parser answers it with 400.
pub(super) async fn detect(stream: &TcpStream, takes_tls: bool) -> io::Result<Protocol> {
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        // A prefix that fits both HTTP versions counts as nothing to read, so that the next bytes
        // cause a new event. The peek runs inside `try_io`, so that clearing the readiness does not
        // affect bytes that arrive after the peek.
        let looked = stream.try_io(Interest::READABLE, || peek(stream, ready.is_read_closed()));
        match looked {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(Protocol::Tls) if !takes_tls => return Ok(Protocol::Http1),
            protocol => return protocol,
        }
    }
}

/// Returns the protocol of the available bytes, or `WouldBlock` if they fit both HTTP versions.
fn peek(stream: &TcpStream, is_all: bool) -> io::Result<Protocol> {
    let mut bytes = [0; PREFACE.len()];
    // This peek never waits, because the socket was ready, and because `unconstrained` ignores
    // tokio's cooperative budget of the task.
    let peeked = unconstrained(stream.peek(&mut bytes)).now_or_never();
    let peeked = peeked.ok_or(io::ErrorKind::WouldBlock)??;
    let begin = bytes.get(..peeked).unwrap_or_default();
    Protocol::of(begin, is_all).ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

impl Protocol {
    /// Returns the protocol of a connection that begins with these bytes, or `None` if they fit
    /// both HTTP versions. `is_all` says that no further bytes come.
    fn of(begin: &[u8], is_all: bool) -> Option<Protocol> {
        match begin {
            [TLS_HANDSHAKE, ..] => Some(Protocol::Tls),
            begin if begin.starts_with(PREFACE) => Some(Protocol::Http2),
            begin if PREFACE.starts_with(begin) && !begin.is_empty() && !is_all => None,
            // No bytes mean the end of the stream, which hyper handles.
            _ => Some(Protocol::Http1),
        }
    }
}

/// Detects the protocol of any bytes, for fuzzing. Once a prefix of the bytes decides, more bytes
/// must not change the protocol, because the bytes arrive in any pieces.
#[cfg(feature = "fuzzing")]
pub(super) fn detect_in(bytes: &[u8]) -> Protocol {
    let end = bytes.len().min(PREFACE.len());
    let whole = bytes.get(..end).unwrap_or_default();
    for length in 1..end {
        let decided = bytes
            .get(..length)
            .and_then(|begin| Protocol::of(begin, false));
        assert!(decided.is_none() || decided == Protocol::of(whole, false));
    }
    Protocol::of(whole, true).expect("all bytes decide")
}
