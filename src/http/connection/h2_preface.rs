//! Which HTTP a connection speaks, told by its first bytes without taking them.

use futures_util::FutureExt;
use std::io;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;

/// How every HTTP/2 connection begins, and no request of HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

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
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        // A beginning that may be either is taken for nothing to read, so that the next bytes are
        // an event. Around the look, so that bytes that come after it are not taken back with it.
        let looked = stream.try_io(Interest::READABLE, || look(stream, ready.is_read_closed()));
        match looked {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            spoken => return spoken,
        }
    }
}

/// What the bytes that are there begin; `WouldBlock` when that cannot be said yet.
fn look(stream: &TcpStream, is_all: bool) -> io::Result<Spoken> {
    let mut bytes = [0; PREFACE.len()];
    // It never waits here: the socket was ready, and a task's budget is not asked for.
    let peeked = unconstrained(stream.peek(&mut bytes)).now_or_never();
    let peeked = peeked.ok_or(io::ErrorKind::WouldBlock)??;
    match bytes.get(..peeked).unwrap_or_default() {
        PREFACE => Ok(Spoken::Http2),
        begin if PREFACE.starts_with(begin) && !begin.is_empty() && !is_all => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        // No bytes are the end of the stream, which hyper answers as it likes.
        _ => Ok(Spoken::Http1),
    }
}
