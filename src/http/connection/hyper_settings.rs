//! The settings with which hyper serves connections.

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// Minimum size of the buffer for a request's head. The buffer is larger than the limit on heads,
/// so that a head over the limit can be read, and rejected with a line of text.
const HEAD_BUFFER_BYTES: usize = 128 * 1024;

/// Maximum number of concurrent requests on an HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// Returns the settings with which hyper serves an HTTP/1 connection.
pub(super) fn http1(max_head_bytes: usize) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // `ConnectionState` limits the time for the head. hyper's own limit cannot be used,
        // because it does not distinguish an incomplete head from an idle connection.
        .header_read_timeout(None)
        // A client may half-close after its last request and still wait for the response.
        .half_close(true)
        .max_buf_size(buffered_head_bytes(max_head_bytes))
        // A fast client can fill the buffer beyond its maximum in one read.
        .max_header_size(buffered_head_bytes(max_head_bytes));
    builder
}

/// Returns the settings with which hyper serves an HTTP/2 connection.
pub(super) fn http2(max_head_bytes: usize) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(
            u32::try_from(buffered_head_bytes(max_head_bytes)).unwrap_or(u32::MAX),
        );
    builder
}

/// Returns the maximum size of a request's head that hyper reads. Larger heads are rejected by
/// hyper.
fn buffered_head_bytes(max_head_bytes: usize) -> usize {
    HEAD_BUFFER_BYTES.max(2 * max_head_bytes)
}
