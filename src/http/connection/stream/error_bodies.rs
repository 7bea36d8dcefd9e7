//! Adds a line of text to the error responses that hyper itself sends when it cannot read a
//! request.

use crate::http::error::{ApiError, error_line};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The start of an error response that hyper sends itself. The body of such a response is empty
/// (`EMPTY`), while all error responses of the handlers have a body.
const BEGIN: &[u8] = b"HTTP/1.1 4";
const EMPTY: &[u8] = b"\r\ncontent-length: 0\r\n";

/// A writer that adds a body to hyper's own error responses, and forwards everything else.
///
/// - hyper writes its own error response in one piece, and writes nothing after it.
/// - No other output begins with [`BEGIN`] and has an empty body, because the handlers' error
///   responses have bodies, and the peer protocol begins with a length.
pub(in crate::http::connection) struct ErrorBodies<IO> {
    io: IO,
    /// The unwritten rest of the response that is sent in place of hyper's own error response.
    pending: Vec<u8>,
}

impl<IO: AsyncWrite + Unpin> ErrorBodies<IO> {
    pub(in crate::http::connection) fn new(io: IO) -> ErrorBodies<IO> {
        ErrorBodies {
            io,
            pending: Vec::new(),
        }
    }

    /// Replaces an error response of hyper. Returns false if `bytes` is anything else.
    fn replace(&mut self, bytes: &[u8]) -> bool {
        let Some(with_bodies) = with_error_body(bytes) else {
            return false;
        };
        self.pending = with_bodies;
        true
    }

    /// Writes the rest of a response that replaces hyper's own response.
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns hyper's error response with a body added, or `None` if `bytes` is not an error response
/// with an empty body.
fn with_error_body(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(BEGIN) {
        return None;
    }
    let at = bytes
        .windows(EMPTY.len())
        .position(|window| window == EMPTY)?;
    let error = match bytes.get(9..12)? {
        b"414" => ApiError::UnreadableUri,
        b"431" => ApiError::UnreadableHeaders,
        _ => ApiError::BadRequest("This is not an HTTP request".to_owned()),
    };
    let line = error_line(&error);
    let headers = format!(
        "\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n",
        line.len()
    );
    Some(
        [
            &bytes[..at],
            headers.as_bytes(),
            &bytes[at + EMPTY.len()..],
            line.as_bytes(),
        ]
        .concat(),
    )
}

impl<IO: AsyncRead + Unpin> AsyncRead for ErrorBodies<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for ErrorBodies<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        if self.replace(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        if let [bytes] = slices
            && self.replace(bytes)
        {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only an error response with an empty body is replaced, and its new `Content-Length` is
    /// right.
    #[test]
    fn a_bare_refusal_is_worded() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\n\
            connection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        let text = String::from_utf8(with_error_body(bare).expect("a bare one")).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{head}"
        );
        assert!(
            head.starts_with("HTTP/1.1 431 ") && head.ends_with("date: x"),
            "{head}"
        );
        assert!(body.ends_with('\n'));
        for other in [
            "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nno\n",
            "",
        ] {
            assert_eq!(with_error_body(other.as_bytes()), None, "{other}");
        }
    }
}
