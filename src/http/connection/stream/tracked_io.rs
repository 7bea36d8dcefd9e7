//! A connection's socket that records each transfer for the connection's time limits.

use crate::clock::now;
use crate::http::connection::idle::ConnectionState;
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that reports each transfer to a [`ConnectionState`].
pub(in crate::http::connection) struct TrackedIo<IO> {
    io: IO,
    /// Bytes that were read from `io` earlier, and are returned first.
    unread: Bytes,
    state: Arc<ConnectionState>,
}

impl<IO> TrackedIo<IO> {
    pub(in crate::http::connection) fn new(
        io: IO,
        unread: Bytes,
        state: Arc<ConnectionState>,
    ) -> TrackedIo<IO> {
        TrackedIo { io, unread, state }
    }

    fn written(
        &self,
        slices: &[IoSlice<'_>],
        poll: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &poll {
            Poll::Ready(Ok(bytes)) => self.state.wrote(slices, *bytes, now()),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.state.write_must_wait(now()),
        }
        poll
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for TrackedIo<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let bytes = self.unread.len().min(buf.remaining());
            let unread = self.unread.split_to(bytes);
            buf.put_slice(&unread);
            self.state.read(&unread, now());
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.io).poll_read(cx, buf);
        if let Some(bytes @ [_, ..]) = buf.filled().get(before..) {
            self.state.read(bytes, now());
        }
        poll
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for TrackedIo<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.written(&[IoSlice::new(bytes)], poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.written(slices, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_flush(cx);
        // hyper flushes after it has written all output. With TLS, the output may then still wait
        // in the buffer of the TLS connection.
        match poll.is_ready() {
            true => self.state.flushed(),
            false => self.state.write_must_wait(now()),
        }
        poll
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::connection::protocol::Protocol;
    use std::task::Waker;
    use std::time::Duration;

    /// A stream that accepts all output, and can be flushed only if `is_flushed`, like a TLS
    /// connection whose socket accepts nothing.
    struct BufferingStream {
        is_flushed: bool,
    }

    impl AsyncWrite for BufferingStream {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            match self.is_flushed {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A connection is not parked while the end of a response waits in the buffer of the TLS
    /// connection, because nothing would send it.
    #[test]
    fn unflushed_output_is_not_parked() {
        for is_flushed in [false, true] {
            let state = ConnectionState::new(now(), Duration::from_secs(1), Protocol::Http1);
            let state = Arc::new(state);
            drop(state.request(false));
            let mut io =
                TrackedIo::new(BufferingStream { is_flushed }, Bytes::new(), state.clone());
            let mut cx = Context::from_waker(Waker::noop());
            let written = Pin::new(&mut io).poll_write(&mut cx, b"the end of a response");
            assert!(written.is_ready());
            assert_eq!(Pin::new(&mut io).poll_flush(&mut cx).is_ready(), is_flushed);
            let later = now() + Duration::from_secs(2);
            assert_eq!(state.is_to_be_parked(later), is_flushed);
        }
    }
}
