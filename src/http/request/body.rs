//! Reading of request bodies within limits of size and time.

use super::body_budget::{Budget, Share};
use super::content_negotiation::{BodyType, body_type};
use crate::http::error::ApiError;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use std::io::Read;
use std::ops::Deref;
use std::time::Duration;

/// Maximum time to receive a body. Announcements are a few kilobytes and arrive together with the
/// head of the request, so only a client that sends too slowly exceeds this limit.
const BODY_TIME: Duration = Duration::from_secs(8);

/// The encoding of a JSON body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Encoding {
    /// No encoding.
    Identity,
    /// `gzip`.
    Gzip,
}

/// Checks that a body is JSON, and returns its encoding. This check comes before all other checks
/// of the request's headers and body, as in Jersey.
///
/// # Errors
/// Fails with 400 if there is no body, or with 415 if the body is not JSON or its encoding is
/// unknown.
pub(in crate::http) fn json_encoding(
    headers: &HeaderMap,
    body: &Body,
) -> Result<Encoding, ApiError> {
    match body_type(headers) {
        BodyType::Json => {}
        BodyType::None if body.is_end_stream() => {
            return Err(ApiError::BadRequest(
                "The request body is missing".to_owned(),
            ));
        }
        BodyType::None | BodyType::Other => return Err(ApiError::NotJson),
    }
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let coding = codings
        .next()
        .map(|value| value.as_bytes().to_ascii_lowercase());
    match (coding.as_deref(), codings.next()) {
        (None | Some(b"identity" | b""), None) => Ok(Encoding::Identity),
        (Some(b"gzip" | b"x-gzip"), None) => Ok(Encoding::Gzip),
        _ => Err(ApiError::UnknownEncoding),
    }
}

/// A body that was read. Must be kept until the outcome of its write is known, because the body
/// counts against the budget only as long as it exists.
#[derive(Debug)]
pub(in crate::http) struct ReadBody {
    bytes: Bytes,
    _share: Share,
}

impl Deref for ReadBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The limits on reading a body.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct BodyLimits<'a> {
    /// Maximum size of one body, both as received and decompressed.
    pub(in crate::http) max_bytes: usize,
    /// The limit on all bodies together.
    pub(in crate::http) budget: &'a Budget,
}

/// Reads a body and decompresses it. Reading and decompression each stop at `max_bytes`, so that a
/// larger body is never in memory as a whole.
///
/// # Errors
/// Fails with 400 if the body is malformed, 408 if it is too slow, 413 if it is too large, or 503
/// if all bodies together are too large.
pub(in crate::http) async fn read(
    headers: &HeaderMap,
    body: Body,
    encoding: Encoding,
    limits: BodyLimits<'_>,
) -> Result<ReadBody, ApiError> {
    let mut share = limits.budget.share();
    let collected = collect(headers, body, limits.max_bytes, &mut share);
    let bytes = match tokio::time::timeout(BODY_TIME, collected).await {
        Ok(collected) => collected?,
        Err(_) => return Err(ApiError::BodyTimeout),
    };
    let bytes = match encoding {
        Encoding::Identity => bytes,
        Encoding::Gzip => {
            let inflated = inflate(&bytes, limits.max_bytes)?;
            share.add(inflated.len())?;
            inflated
        }
    };
    Ok(ReadBody {
        bytes,
        _share: share,
    })
}

/// Reads a body into one piece, and counts it against the budget.
async fn collect(
    headers: &HeaderMap,
    mut body: Body,
    max_bytes: usize,
    share: &mut Share,
) -> Result<Bytes, ApiError> {
    if announced_bytes(headers).is_some_and(|bytes| bytes > max_bytes as u64) {
        return Err(ApiError::BodyTooLarge(max_bytes));
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| ApiError::BadRequest("The request body ended early".to_owned()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > max_bytes {
            return Err(ApiError::BodyTooLarge(max_bytes));
        }
        share.add(data.len())?;
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Decompresses gzip, up to the limit.
fn inflate(raw: &[u8], max_bytes: usize) -> Result<Bytes, ApiError> {
    let mut inflated = Vec::new();
    let mut bounded = MultiGzDecoder::new(raw).take(max_bytes as u64 + 1);
    match bounded.read_to_end(&mut inflated) {
        Err(_) => Err(ApiError::BadRequest(
            "The request body is not valid gzip".to_owned(),
        )),
        Ok(bytes) if bytes > max_bytes => Err(ApiError::BodyTooLarge(max_bytes)),
        Ok(_) => Ok(Bytes::from(inflated)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use futures_util::{FutureExt, stream};
    use http::HeaderValue;
    use std::convert::Infallible;
    use std::io::Write;

    const MAX_BYTES: usize = 100;
    const BUDGET_BYTES: usize = 1_000;

    async fn read_json(
        headers: &HeaderMap,
        body: Body,
        max_bytes: usize,
    ) -> Result<Bytes, ApiError> {
        let encoding = json_encoding(headers, &body)?;
        let budget = Budget::new(BUDGET_BYTES);
        let limits = BodyLimits {
            max_bytes,
            budget: &budget,
        };
        let body = read(headers, body, encoding, limits).await;
        body.map(|body| body.bytes)
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn chunked(chunks: usize) -> Body {
        Body::from_stream(stream::iter(
            (0..chunks).map(|_| Ok::<_, Infallible>(Bytes::from_static(b"0123456789"))),
        ))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("to memory");
        encoder.finish().expect("to memory")
    }

    /// A body of several chunks is reassembled, up to exactly the limit.
    #[tokio::test]
    async fn chunks_count_against_the_limit() {
        let body = read_json(&headers(&[]), chunked(10), MAX_BYTES)
            .await
            .expect("at the limit");
        assert_eq!(body.len(), MAX_BYTES);
        let refused = read_json(&headers(&[]), chunked(11), MAX_BYTES).await;
        assert_eq!(refused, Err(ApiError::BodyTooLarge(MAX_BYTES)));
    }

    /// Received bytes count against the budget until their body is dropped. A `Content-Length`
    /// alone takes nothing from the budget.
    #[tokio::test(start_paused = true)]
    async fn bodies_count_together() {
        let budget = Budget::new(2 * MAX_BYTES);
        let limits = BodyLimits {
            max_bytes: MAX_BYTES,
            budget: &budget,
        };
        let promised = headers(&[("content-length", "100")]);
        let never = || Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let reads = async |body| read(&promised, body, Encoding::Identity, limits).await;
        let mut silent: Vec<_> = (0..10).map(|_| Box::pin(reads(never()))).collect();
        for one in &mut silent {
            assert!(one.now_or_never().is_none());
        }
        let first = reads(chunked(10)).await.expect("within the budget");
        let second = reads(chunked(10)).await.expect("all of the budget");
        let third = reads(chunked(1)).await;
        assert_eq!(third.err(), Some(ApiError::TooManyBodies));
        drop(first);
        let third = reads(chunked(10)).await.expect("there is room again");
        let gzipped = read(&promised, Body::from(gzip(b"{}")), Encoding::Gzip, limits);
        assert_eq!(gzipped.await.err(), Some(ApiError::TooManyBodies));
        drop((second, third));
    }

    /// A `Content-Length` over the limit is rejected even if the body itself is short enough.
    #[tokio::test]
    async fn the_announced_length_is_enough_to_refuse() {
        for extra in [("content-length", "101"), ("content-length", "99999999999")] {
            let refused = read_json(&headers(&[extra]), chunked(1), MAX_BYTES).await;
            assert_eq!(refused, Err(ApiError::BodyTooLarge(MAX_BYTES)));
        }
    }

    /// A body that never ends is rejected after the time limit.
    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_times_out() {
        let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(
            read_json(&headers(&[]), body, MAX_BYTES).await,
            Err(ApiError::BodyTimeout)
        );
    }

    /// gzip is decompressed, and a small body that decompresses past the limit is rejected.
    #[tokio::test]
    async fn gzip_is_inflated_within_the_limit() {
        let encoded = headers(&[("content-encoding", "gzip")]);
        let body = read_json(&encoded, Body::from(gzip(b"{}")), MAX_BYTES).await;
        assert_eq!(body, Ok(Bytes::from_static(b"{}")));

        let bomb = gzip(&vec![b' '; 10_000]);
        assert!(bomb.len() < MAX_BYTES);
        assert_eq!(
            read_json(&encoded, Body::from(bomb), MAX_BYTES).await,
            Err(ApiError::BodyTooLarge(MAX_BYTES))
        );

        let broken = read_json(&encoded, Body::from("{}"), MAX_BYTES).await;
        assert!(matches!(broken, Err(ApiError::BadRequest(_))));
        let unknown = read_json(
            &headers(&[("content-encoding", "br")]),
            Body::from("{}"),
            MAX_BYTES,
        )
        .await;
        assert_eq!(unknown, Err(ApiError::UnknownEncoding));
    }

    /// Without a `Content-Type`, a body is rejected because of its type. A request without a body
    /// is rejected because the body is missing, as in Jersey.
    #[tokio::test]
    async fn content_type_comes_before_the_body() {
        let none = HeaderMap::new();
        assert_eq!(
            read_json(&none, Body::from("{}"), MAX_BYTES).await,
            Err(ApiError::NotJson)
        );
        assert!(matches!(
            read_json(&none, Body::empty(), MAX_BYTES).await,
            Err(ApiError::BadRequest(_))
        ));
    }
}
