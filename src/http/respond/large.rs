//! Renders large lookups on threads of their own, and sends them in pieces.
//!
//! It takes about a second to render a hundred megabytes, to compute the tag and to compress the
//! result. If a thread of the runtime did this work, all its other tasks, including heartbeats,
//! would wait for that second. Writing a hundred megabytes to a socket takes a tenth of a second.
//! During this time, hyper yields to other tasks only if the body is in several pieces.

use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::state::{AppState, deadline};
use crate::raft::LookupResult;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::{self as http_body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::task::JoinError;

/// Size of the pieces in which a large body is passed to hyper, which yields after a few of them.
const PIECE_BYTES: usize = 128 << 10;

/// Maximum size of a body that is passed to hyper in one piece. Writing a megabyte takes a fraction
/// of a millisecond. Division into pieces would reduce the throughput of a lookup of 1,000 services
/// by a tenth.
const UNDIVIDED_BYTES_MAX: usize = 1 << 20;

impl<D: Backend> AppState<D> {
    /// Renders the result of a lookup on another thread, with its tag, and with its gzip form if
    /// `with_gzip` is set. Does nothing if the result is small or already rendered.
    ///
    /// # Errors
    /// Fails if rendering cannot start in time, because too many other lookups are being rendered.
    pub(in crate::http) async fn make(
        &self,
        answer: &LookupResult,
        with_gzip: bool,
    ) -> Result<(), ApiError> {
        match answer.rendered.takes_long(with_gzip) {
            // This future is boxed. Only large lookups need it, but otherwise it would make the
            // future of every lookup larger.
            true => Box::pin(self.make_elsewhere(answer, with_gzip)).await,
            false => Ok(()),
        }
    }

    /// Renders on a blocking thread, once a permit for rendering is free.
    async fn make_elsewhere(&self, answer: &LookupResult, with_gzip: bool) -> Result<(), ApiError> {
        let rendered = answer.rendered.clone();
        // A panic is ignored here, because the same panic occurs again when the response asks for
        // the bytes.
        let _ = self.elsewhere(move || rendered.make(with_gzip)).await?;
        Ok(())
    }

    /// Runs work on a large lookup on a blocking thread, once a permit for rendering is free.
    /// Returns the inner error if the work panics.
    ///
    /// # Errors
    /// Fails if the work cannot start in time, because too many other lookups are being rendered.
    pub(in crate::http) async fn elsewhere<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, JoinError>, ApiError> {
        let permit = self.large.clone().acquire_owned();
        let Ok(Ok(permit)) = tokio::time::timeout_at(deadline(), permit).await else {
            let reason = "too many large lookups are being rendered on this node";
            return Err(ApiError::Unavailable(reason.to_owned()));
        };
        let made = tokio::task::spawn_blocking(move || {
            let made = work();
            // The permit is released when the work ends, even if the request was cancelled.
            drop(permit);
            made
        });
        Ok(made.await)
    }
}

/// Returns a response body with the bytes of a result. A large result is sent in pieces.
pub(in crate::http) fn body(bytes: Bytes) -> Body {
    match bytes.len() <= UNDIVIDED_BYTES_MAX {
        true => Body::from(bytes),
        false => Body::new(BodyChunks(bytes)),
    }
}

/// The rest of a body that is sent in pieces of one size.
struct BodyChunks(Bytes);

impl http_body::Body for BodyChunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.len().min(PIECE_BYTES);
        let piece = self.0.split_to(next);
        Poll::Ready((next > 0).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    /// A body has the same bytes and the same length in one piece and in many.
    #[tokio::test]
    async fn a_body_is_the_same_in_pieces() {
        let undivided = UNDIVIDED_BYTES_MAX;
        for (length, pieces) in [
            (0, 0),
            (1, 1),
            (undivided, 1),
            (undivided + 1, 9),
            (9 * PIECE_BYTES, 9),
        ] {
            let bytes: Bytes = (0..length).map(|i| i as u8).collect();
            let mut body = body(bytes.clone());
            assert_eq!(
                http_body::Body::size_hint(&body).exact(),
                Some(length as u64)
            );
            let mut received: Vec<Bytes> = Vec::new();
            while let Some(frame) = body.frame().await {
                let data = frame.expect("it cannot fail").into_data();
                let data = data.expect("it has no trailers");
                received.push(data);
            }
            assert_eq!(received.len(), pieces, "of {length} bytes");
            assert!(received.iter().all(|piece| !piece.is_empty()));
            assert_eq!(received.concat(), bytes);
        }
    }
}
