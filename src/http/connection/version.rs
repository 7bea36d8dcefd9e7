//! Which HTTP a connection speaks, told by its first bytes without taking them.

use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// How every HTTP/2 connection begins, and no request of HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Between two looks at a beginning that may be either: there is no event for more bytes while some are there. Clients
/// send all of it at once.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Which HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    /// 1.0 or 1.1.
    Http1,
    /// 2, by prior knowledge.
    Http2,
}

/// Waits for the first bytes and says what they begin. Looking at them only, rather than reading them ahead of hyper, halves
/// what a connection that waits takes: hyper makes its read buffer twice as large for bytes that were read before.
pub(super) async fn of(stream: &TcpStream) -> io::Result<Spoken> {
    let mut bytes = [0; PREFACE.len()];
    loop {
        let peeked = stream.peek(&mut bytes).await?;
        let begin = bytes.get(..peeked).unwrap_or_default();
        // None are the end of the stream, which hyper answers as it likes.
        if peeked == 0 || !PREFACE.starts_with(begin) {
            return Ok(Spoken::Http1);
        }
        if peeked == PREFACE.len() {
            return Ok(Spoken::Http2);
        }
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    }
}
