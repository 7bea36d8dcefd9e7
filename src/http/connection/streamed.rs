//! Answers that come by parts.

use super::activity::Exchange;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer that is an exchange for as long as hyper keeps it: between two parts its connection only looks idle.
pub(super) struct Streamed {
    body: axum::body::Body,
    _exchange: Exchange,
}

impl Streamed {
    pub(super) fn new(body: axum::body::Body, exchange: Exchange) -> Streamed {
        Streamed {
            body,
            _exchange: exchange,
        }
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
