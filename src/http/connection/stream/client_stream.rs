//! A client's connection, in plain text or with TLS.

use super::peekable_stream::PeekableStream;
use crate::locks::lock;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

/// Maximum number of bytes that wait in the TLS connection for the socket. Bytes that the TLS
/// connection takes count as progress of the client, so few may wait there. On the other hand, a
/// large response takes a system call for each of them. A client that does not read keeps them
/// until it is cut, as it keeps the kernel's buffer.
const UNSENT_BYTES_MAX: usize = 64 << 10;

/// Interval at which a socket with unread bytes is checked for a close by the client. A wait for
/// readiness would return immediately, because unread bytes keep the socket readable.
const RECHECK_AFTER: Duration = Duration::from_secs(10);

/// Like [`RECHECK_AFTER`], for a connection with TLS.
const TLS_RECHECK_AFTER: Duration = Duration::from_secs(1);

/// A client's connection. Clones share it, so that a connection outlives the hyper connection on
/// it, which is dropped while the client is idle.
#[derive(Debug, Clone)]
pub(in crate::http::connection) enum ClientStream {
    /// Plain text.
    Plain(PeekableStream),
    /// TLS, after the handshake.
    Tls(TlsConnection),
}

/// A connection with TLS, and its socket.
#[derive(Debug, Clone)]
pub(in crate::http::connection) struct TlsConnection {
    socket: PeekableStream,
    /// The lock is never contended, because one task reads and writes.
    tls: Arc<Mutex<TlsStream<PeekableStream>>>,
}

impl ClientStream {
    /// Creates the stream of a connection whose handshake is complete.
    pub(in crate::http::connection) fn tls(mut stream: TlsStream<PeekableStream>) -> ClientStream {
        stream.get_mut().1.set_buffer_limit(Some(UNSENT_BYTES_MAX));
        ClientStream::Tls(TlsConnection {
            socket: stream.get_ref().0.clone(),
            tls: Arc::new(Mutex::new(stream)),
        })
    }

    /// Waits until the client has closed the connection (see [`PeekableStream::closed`]). The end
    /// of TLS, which a client sends before it closes, stays unread, so the close is checked more
    /// often than without TLS.
    pub(in crate::http::connection) async fn closed(&self) {
        let recheck_after = match self {
            ClientStream::Plain(_) => RECHECK_AFTER,
            ClientStream::Tls(_) => TLS_RECHECK_AFTER,
        };
        self.socket().closed(recheck_after).await;
    }

    /// Tells the client that the connection ends, if it uses TLS. Best effort: nothing waits for a
    /// client that does not read.
    pub(in crate::http::connection) fn end(&self) {
        if let ClientStream::Tls(connection) = self {
            let mut cx = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut *lock(&connection.tls)).poll_shutdown(&mut cx);
        }
    }

    /// Waits until there is something to read (see [`PeekableStream::readable`]). With TLS, this
    /// may be a record without data, after which a read still waits.
    pub(in crate::http::connection) async fn readable(&self) {
        let has_decrypted_bytes = match self {
            ClientStream::Plain(_) => false,
            ClientStream::Tls(connection) => !lock(&connection.tls).get_ref().1.wants_read(),
        };
        if !has_decrypted_bytes {
            self.socket().readable().await;
        }
    }

    fn socket(&self) -> &PeekableStream {
        match self {
            ClientStream::Plain(socket) => socket,
            ClientStream::Tls(connection) => &connection.socket,
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ClientStream::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            ClientStream::Tls(connection) => {
                Pin::new(&mut *lock(&connection.tls)).poll_read(cx, buf)
            }
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            ClientStream::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            ClientStream::Tls(connection) => {
                Pin::new(&mut *lock(&connection.tls)).poll_write(cx, bytes)
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            ClientStream::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            ClientStream::Tls(connection) => {
                Pin::new(&mut *lock(&connection.tls)).poll_write_vectored(cx, slices)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ClientStream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            ClientStream::Tls(connection) => Pin::new(&mut *lock(&connection.tls)).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ClientStream::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            ClientStream::Tls(connection) => {
                Pin::new(&mut *lock(&connection.tls)).poll_shutdown(cx)
            }
        }
    }
}
