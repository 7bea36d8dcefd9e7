//! Request bodies whose unread bytes are discarded when the body is dropped early.

use super::idle::BodyGuard;
use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Maximum number of bytes of the rest of a body that are read and discarded.
const DISCARD_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Maximum time for which the rest of a body is read and discarded.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// A body whose unread bytes are read and discarded, within limits, when the body is dropped early.
/// If the connection were closed immediately, a client that is still sending would see a reset
/// instead of the response (413, for example).
///
/// The body holds its [`BodyGuard`] until all bytes are discarded. Otherwise the incoming bytes
/// would be taken for a request.
pub(super) struct LingeringBody {
    body: Option<(Incoming, BodyGuard)>,
    discards: bool,
}

impl LingeringBody {
    pub(super) fn new(headers: &HeaderMap, body: Incoming, exchange: BodyGuard) -> LingeringBody {
        // A client that waits for 100-continue has sent nothing of the body yet. Reading the body
        // would ask the client to send all of it.
        LingeringBody {
            body: Some((body, exchange)),
            discards: !headers.contains_key(EXPECT),
        }
    }
}

impl Body for LingeringBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some((body, _)) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        let body = self.body.as_ref();
        body.is_none_or(|(body, _)| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, |(body, _)| body.size_hint())
    }
}

impl Drop for LingeringBody {
    fn drop(&mut self) {
        if let Some((body, exchange)) = self
            .body
            .take()
            .filter(|(body, _)| self.discards && !body.is_end_stream())
        {
            // Discarding stops at the end of the body, at the byte limit or after the timeout. Then
            // the connection is closed if some of the body is left.
            tokio::spawn(async move {
                let _ = tokio::time::timeout(DISCARD_TIMEOUT, discard(body)).await;
                drop(exchange);
            });
        }
    }
}

/// Reads and discards the rest of a body, up to [`DISCARD_MAX_BYTES`].
async fn discard(mut body: Incoming) {
    let mut left = DISCARD_MAX_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
