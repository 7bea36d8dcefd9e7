//! A socket that hyper reads and writes. The connection's task can peek at the input of the socket.

use futures_util::FutureExt;
use socket2::SockRef;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// A handle of a shared socket. Supports one reader and one writer at a time.
#[derive(Debug, Clone)]
pub(in crate::http::connection) struct PeekableStream(Arc<TcpStream>);

impl PeekableStream {
    pub(in crate::http::connection) fn new(stream: TcpStream) -> PeekableStream {
        PeekableStream(Arc::new(stream))
    }

    /// Waits until the client has closed the connection, or at least its sending half. While there
    /// are unread bytes, a close is noticed only by a check at intervals of `recheck_after`.
    ///
    /// Must be awaited by the task that reads, because a socket stores the waker of only one
    /// reader.
    pub(in crate::http::connection) async fn closed(&self, recheck_after: Duration) {
        while std::future::poll_fn(|cx| self.poll_bytes(cx)).await {
            tokio::time::sleep(recheck_after).await;
            if self.is_half_closed() {
                return;
            }
        }
    }

    /// Waits until there is something to read: bytes, an end or an error. Like
    /// [`PeekableStream::closed`], must be awaited by the task that reads.
    pub(in crate::http::connection) async fn readable(&self) {
        std::future::poll_fn(|cx| self.poll_bytes(cx)).await;
    }

    /// Waits until there is something to read. Returns true for bytes, and false for an end or an
    /// error.
    fn poll_bytes(&self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            if ready!(self.0.poll_read_ready(cx)).is_err() {
                return Poll::Ready(false);
            }
            // `try_io` clears stale readiness when there is nothing to read.
            match self.0.try_io(Interest::READABLE, || self.peek()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                peeked => return Poll::Ready(matches!(peeked, Ok(1..))),
            }
        }
    }

    /// Whether the other side has half-closed the connection. Unread bytes make no difference.
    fn is_half_closed(&self) -> bool {
        let ready = self.0.ready(Interest::READABLE).now_or_never();
        matches!(ready, Some(Ok(ready)) if ready.is_read_closed())
    }

    fn peek(&self) -> io::Result<usize> {
        SockRef::from(&*self.0).peek(&mut [MaybeUninit::uninit()])
    }

    /// Reads the available bytes. A short read means that the socket is now empty, so the socket is
    /// marked as not ready, as in tokio's own `poll_read`. Otherwise each request would cost a
    /// second system call that reads nothing. epoll reports the bytes that arrive later.
    fn try_read(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let room = buf.remaining();
        let mut has_read = false;
        // The read runs inside `try_io`, so that clearing the readiness does not affect bytes that
        // arrive after the read.
        let tried = self.0.try_io(Interest::READABLE, || {
            let bytes = self.0.try_read_buf(buf)?;
            has_read = true;
            let is_emptied = cfg!(target_os = "linux") && (1..room).contains(&bytes);
            match is_emptied {
                true => Err(io::ErrorKind::WouldBlock.into()),
                false => Ok(()),
            }
        });
        match has_read {
            true => Ok(()),
            false => tried,
        }
    }

    /// Writes, and retries while the socket's readiness is stale.
    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match write(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncRead for PeekableStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.try_read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncWrite for PeekableStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // There is no buffer between a write and the kernel.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(std::net::Shutdown::Write))
    }
}
